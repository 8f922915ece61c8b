"""From a finished distillation to a release in the catalogue."""

import json

import pytest

from app.models import Organisation
from app.signing.verify import GOOD, verify_bundle
from tests.fixtures.reports import ATTACK, privacy

BODY = {"title": "Chest X-rays", "summary": "Adults.", "contact": "data@st-anna.example"}


def publish(portal, distillation_id, **changes):
    return portal.steward.post(
        f"/distillations/{distillation_id}/releases", json={**BODY, **changes}
    )


def code(reply):
    return reply.json()["type"].rpartition(":")[2]


def test_a_release_is_signed_and_verifies_with_the_organisations_key(portal, tmp_path):
    release = portal.release()
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(portal.steward.get(f"/releases/{release['id']}/bundle").content)
    [key] = portal.stranger.get(f"/organisations/{portal.organisation_id}/keys").json()["items"]

    found = verify_bundle(bundle, key["public_key"])

    assert found.exit_code == GOOD
    assert release["key"]["public_key"] == key["public_key"]
    assert any(release["bundle"]["fingerprint"] in line for line in found.lines)


def test_what_the_owner_sees_more_of_it_than_others(portal):
    release = portal.release()
    assert release["downloads"] == 0
    assert release["distillation_id"] is not None
    seen = portal.recipient.get(f"/releases/{release['id']}").json()
    assert [seen[name] for name in ("distillation_id", "published_by", "downloads")] == [None] * 3
    assert seen["access"]["state"] == "none"
    assert seen["facts"]["privacy"]["verdict"] == "not_refuted"
    assert "settings" not in seen["facts"]


@pytest.mark.parametrize("changes", [{"verdict": "refuted"}, {"verdict": None}, {"power": None}])
def test_the_gate_refuses_and_the_log_keeps_it(portal, changes):
    distillation_id = portal.releasable_distillation(privacy=privacy() | changes)

    reply = publish(portal, distillation_id)

    assert (reply.status_code, code(reply)) == (409, "not-cleared")
    assert reply.json()["reasons"]
    [entry] = portal.admin.get("/audit?action=release.refused").json()["items"]
    assert (entry["subject"], entry["outcome"]) == (distillation_id, "refused")
    assert portal.steward.get("/releases").json()["items"] == []
    assert portal.stored("releases") == []


def test_the_organisations_policy_is_asked(portal):
    etag = portal.admin.get("/organisations/mine").headers["etag"]
    changed = portal.admin.request(
        "PATCH",
        "/organisations/mine",
        json={"policy": {"proven_only": True}},
        headers={"If-Match": etag},
    )
    assert changed.status_code == 200
    assert code(publish(portal, portal.releasable_distillation())) == "not-cleared"


def test_what_is_inconclusive_at_one_limit_may_be_clear_at_the_organisations_own(portal):
    attack = ATTACK | {"tpr_interval": [0.0, 0.08], "outcome": "inconclusive"}
    found = privacy() | {"verdict": "inconclusive", "attacks": [attack]}
    distillation_id = portal.releasable_distillation(privacy=found)
    refused = publish(portal, distillation_id).json()
    assert "audit_full" in refused["detail"] or "more images" in refused["detail"]
    changed = portal.admin.request(
        "PATCH", "/organisations/mine", json={"policy": {"largest_leak": 0.1}}
    )
    assert changed.json()["policy"]["largest_leak"] == 0.1

    release = publish(portal, distillation_id).json()

    assert release["verdict"] == "inconclusive"
    listed = portal.recipient.get("/catalogue?verdict=inconclusive").json()["items"]
    assert [item["id"] for item in listed] == [release["id"]]


def test_a_policy_of_an_earlier_version_still_loads_and_is_refused_by_its_name(portal):
    with portal.database.transaction() as session:
        row = session.get_one(Organisation, portal.organisation_id)
        row.policy = {"unknown_power": True, "proven_only": True}
    policy = portal.admin.get("/organisations/mine").json()["policy"]
    assert policy["proven_only"] is True
    assert "unknown_power" not in policy
    reply = portal.admin.request(
        "PATCH", "/organisations/mine", json={"policy": {"unknown_power": True}}
    )
    assert reply.status_code == 422


@pytest.mark.parametrize("start", ["k_mean", "real"])
def test_a_start_of_single_patients_is_refused_or_marked(portal, start):
    distillation_id = portal.releasable_distillation(initialisation=start)
    assert "who is in the set" in publish(portal, distillation_id).json()["detail"]
    portal.admin.request("PATCH", "/organisations/mine", json={"policy": {"real_starts": True}})
    release = publish(portal, distillation_id).json()
    assert release["warning"]["code"] == "single_patient_start"
    assert portal.recipient.get(f"/releases/{release['id']}").json()["warning"]["text"]


def test_numbers_count_and_the_earlier_one_is_superseded(portal):
    distillation_id = portal.releasable_distillation()
    first = publish(portal, distillation_id).json()
    second = publish(portal, distillation_id, title="A better card").json()

    assert (first["number"], second["number"]) == (1, 2)
    before = portal.steward.get(f"/releases/{first['id']}").json()
    assert (before["status"], before["superseded_by"]) == ("superseded", second["id"])
    assert before["title"] == "Chest X-rays"
    listed = portal.recipient.get("/catalogue").json()["items"]
    assert [item["id"] for item in listed] == [second["id"]]


def test_another_distillations_release_can_take_its_place(portal):
    first = portal.release()
    second = portal.release(supersedes=first["id"])
    assert portal.steward.get(f"/releases/{first['id']}").json()["superseded_by"] == second["id"]
    nobodys = publish(portal, portal.releasable_distillation(), supersedes="rel_none")
    assert nobodys.status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"terms": "custom"},
        {"duo": ["DUO:9999999"]},
        {"duo": ["nonsense"]},
    ],
)
def test_terms_that_cannot_be_are_refused_in_words(portal, changes):
    reply = publish(portal, portal.releasable_distillation(), **changes)
    assert (reply.status_code, code(reply)) == (422, "terms-not-usable")


def test_recipients_need_somebody_to_write_to(portal):
    reply = portal.steward.post(
        f"/distillations/{portal.releasable_distillation()}/releases",
        json={"title": "Chest X-rays", "summary": "Adults."},
    )
    assert code(reply) == "terms-not-usable"
    portal.admin.request("PATCH", "/organisations/mine", json={"contact": "office@st-anna.example"})
    release = portal.steward.post(
        f"/distillations/{portal.releasable_distillation()}/releases",
        json={"title": "Chest X-rays", "summary": "Adults."},
    )
    assert release.json()["contact"] == "office@st-anna.example"


def test_only_a_steward_releases_and_only_the_own(portal):
    distillation_id = portal.releasable_distillation()
    path = f"/distillations/{distillation_id}/releases"
    assert portal.researcher.post(path, json=BODY).status_code == 403
    assert portal.stranger.post(path, json=BODY).status_code == 404
    assert publish(portal, portal.distillation()).status_code == 409


def test_a_damaged_bundle_is_not_released(portal):
    distillation_id = portal.releasable_distillation()
    key = f"distillations/{distillation_id}/bundle.zip"
    portal.storage.put(key, portal.storage.get(key)[:-1] + b"x")
    reply = publish(portal, distillation_id)
    assert (reply.status_code, code(reply)) == (409, "not-packable")
    assert portal.stored("releases") == []


def test_previews_are_shown_to_whom_the_owner_allows(portal):
    hidden = portal.release()
    shown = portal.release(previews=True)

    assert len(portal.steward.get(f"/releases/{hidden['id']}").json()["previews"]) == 4
    assert portal.recipient.get(f"/releases/{hidden['id']}").json()["previews"] == []
    denied = portal.recipient.get(f"/releases/{hidden['id']}/previews/0")
    assert denied.status_code == 404
    [first, *_] = portal.recipient.get(f"/releases/{shown['id']}").json()["previews"]
    picture = portal.recipient.get(first)
    assert picture.content.startswith(b"\x89PNG")


def test_the_catalogue_finds_by_what_a_release_is(portal):
    release = portal.release(title="Pneumonia in children, 100% paediatric")

    def found(query):
        items = portal.recipient.get(f"/catalogue?{query}").json()["items"]
        return [item["id"] for item in items] == [release["id"]]

    assert found("q=children")
    assert found("q=PNEUMONIA%20children")
    assert found("q=100%25")
    assert not found("q=10_%25")
    assert not found("q=pneumonia%20tuberculosis")
    assert found("class=covid")
    assert not found("class=Tuberculosis")
    assert found("modality=chest%20X-ray&verdict=not_refuted&min_images=4&max_images=4")
    assert not found("min_images=5")
    assert found("min_accuracy=0.75")
    assert not found("min_accuracy=0.76")
    assert found(f"organisation_id={portal.organisation_id}")
    assert not found(f"organisation_id={portal.elsewhere_id}")


def test_the_catalogue_goes_on_where_it_stopped(portal):
    ids = [portal.release(title=f"Set {number}")["id"] for number in range(3)]
    first = portal.recipient.get("/catalogue?limit=2").json()
    rest = portal.recipient.get(f"/catalogue?limit=2&cursor={first['next_cursor']}").json()
    assert [item["id"] for item in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None


def test_a_release_says_the_same_whatever_becomes_of_the_distillation(portal):
    distillation_id = portal.releasable_distillation()
    release = publish(portal, distillation_id).json()
    assert portal.steward.delete(f"/distillations/{distillation_id}").status_code == 204
    again = portal.steward.get(f"/releases/{release['id']}").json()
    assert json.dumps(again, sort_keys=True) == json.dumps(release, sort_keys=True)
    assert portal.steward.get(f"/releases/{release['id']}/bundle").status_code == 200


def test_the_same_request_sent_again_makes_no_second_release(portal):
    distillation_id = portal.releasable_distillation()
    path, headers = f"/distillations/{distillation_id}/releases", {"Idempotency-Key": "once"}
    first = portal.steward.post(path, json=BODY, headers=headers)
    second = portal.steward.post(path, json=BODY, headers=headers)
    other = portal.steward.post(path, json={**BODY, "title": "Other"}, headers=headers)

    assert (first.status_code, second.json()) == (201, first.json())
    assert code(other) == "idempotency-key-reused"
    assert len(portal.steward.get("/releases").json()["items"]) == 1

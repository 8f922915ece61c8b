"""A release travels from a hospital's own portal to a hub, and its withdrawal after it."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.core.clock import utc_now
from app.federation.publications.cleanup import forget_unfinished
from app.federation.publications.schemas import LARGEST_PART
from app.models import Publication, Share
from app.signing.verify import GOOD, verify_bundle
from tests.fixtures.clients import problem

PURPOSE = {"purpose": "We train a triage network for our emergency department with it."}


def log_of(portal, prefix):
    entries = portal.admin.get("/audit?limit=100").json()["items"]
    return [entry["action"] for entry in entries[::-1] if entry["action"].startswith(prefix)]


def test_a_release_is_shown_at_the_hub_as_it_is_at_home(pair):
    release, _ = pair.shared()
    [share] = pair.shares(release["id"])
    assert (share["status"], share["problem"]) == ("shared", None)
    assert share["address"].endswith(f"/releases/{release['id']}")

    there = pair.hub.recipient.get(f"/releases/{release['id']}").json()
    of_each = {"access", "distillation_id", "published_by", "downloads", "updated_at"}
    of_each |= {"organisation", "previews"}
    assert {name: there[name] for name in there if name not in of_each} == {
        name: release[name] for name in release if name not in of_each
    }
    assert there["organisation"]["name"] == "St. Anna"
    assert [row["id"] for row in pair.hub.recipient.get("/catalogue").json()["items"]] == [
        release["id"]
    ]
    assert log_of(pair.home, "share") == ["share.asked", "share.done"]
    assert log_of(pair.hub, "release") == ["release.published"]


def test_what_is_downloaded_there_verifies_with_the_key_from_home(pair, tmp_path):
    release, _ = pair.shared()
    refused = pair.hub.recipient.get(f"/releases/{release['id']}/bundle")
    assert problem(refused) == (403, "no-access")
    asked = pair.hub.recipient.post(
        f"/releases/{release['id']}/access-requests", json=PURPOSE
    ).json()
    grant = pair.hub.steward.post(f"/access-requests/{asked['id']}/grant", json={}).json()
    terms = {"terms_sha256": release["terms"]["sha256"]}
    pair.hub.recipient.post(f"/grants/{grant['grant_id']}/acceptance", json=terms)
    bundle = pair.hub.recipient.get(f"/releases/{release['id']}/bundle")
    assert bundle.status_code == 200, bundle.text
    (tmp_path / "bundle.zip").write_bytes(bundle.content)
    key = pair.home.steward.get("/organisations/mine/keys").json()["items"][0]["public_key"]
    assert verify_bundle(tmp_path / "bundle.zip", key).exit_code == GOOD


def test_the_same_release_twice_is_one(pair):
    release, connection = pair.shared()
    assert pair.share(release["id"], connection)["status"] == "shared"
    with pair.home.database.transaction() as session:
        # As after a portal that died before it noted the answer.
        session.execute(update(Share).values(status="waiting"))
    assert pair.carry()
    assert len(pair.hub.recipient.get("/catalogue").json()["items"]) == 1
    assert log_of(pair.hub, "release") == ["release.published"]


def test_a_bundle_that_arrived_in_part_is_gone_on_with(pair, monkeypatch):
    monkeypatch.setattr("app.federation.shares.courier.LARGEST_PART", 1000)
    connection, release = pair.connected(), pair.home.release()
    pair.share(release["id"], connection)
    put = pair.hub.services.storage.put
    seen = []

    def fail_at_the_third(key, content):
        seen.append(key)
        if len(seen) == 3:
            raise OSError("the disc of the hub is gone")
        put(key, content)

    monkeypatch.setattr(
        type(pair.hub.services.storage), "put", lambda _, *sent: fail_at_the_third(*sent)
    )
    assert not pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "waiting"
    assert pair.hub.steward.get(f"/publications/{release['id']}").json()["received"] == 2000
    assert pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "shared"
    assert seen[2] == seen[3]
    assert not list(pair.hub.storage.list("publications"))


def test_a_part_that_does_not_follow_says_where_to_go_on(pair):
    release, _ = pair.shared()
    with pair.hub.database.transaction() as session:
        session.execute(update(Publication).values(status="receiving", received=7))
    for offset, part in ((0, b"x"), (8, b"x"), (7, b""), (7, b"x" * (LARGEST_PART + 1))):
        refused = pair.hub.steward.request(
            "PATCH",
            f"/publications/{release['id']}/bundle",
            content=part,
            headers={"Upload-Offset": str(offset)},
        )
        assert problem(refused) == (409, "wrong-offset")
        assert refused.json()["received"] == 7


def test_a_withdrawal_follows_its_release(pair):
    release, _ = pair.shared()
    reason = {"reason": "A class was labelled wrongly."}
    pair.home.steward.post(f"/releases/{release['id']}/withdraw", json=reason)
    assert pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "withdrawn"
    there = pair.hub.recipient.get(f"/releases/{release['id']}").json()
    assert (there["status"], there["withdrawal_reason"]) == ("withdrawn", reason["reason"])
    assert pair.hub.recipient.get("/catalogue").json()["items"] == []
    assert log_of(pair.home, "share") == ["share.asked", "share.done", "share.withdrawn"]
    assert pair.carry()  # there is nothing more to say


def test_a_release_that_is_withdrawn_before_it_was_carried_never_appears(pair):
    connection, release = pair.connected(), pair.home.release()
    pair.share(release["id"], connection)
    body = {"reason": "It was the wrong one."}
    pair.home.steward.post(f"/releases/{release['id']}/withdraw", json=body)
    assert pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "withdrawn"
    assert pair.hub.recipient.get(f"/releases/{release['id']}").status_code == 404


def test_a_later_release_takes_the_place_of_the_one_before(pair):
    first, connection = pair.shared()
    second = pair.home.release(distillation_id=first["distillation_id"])
    pair.share(second["id"], connection)
    assert pair.carry()
    there = pair.hub.recipient.get(f"/releases/{first['id']}").json()
    assert (there["status"], there["superseded_by"]) == ("superseded", second["id"])


@pytest.mark.parametrize("status", ["superseded", "withdrawn"])
def test_only_a_published_release_is_shared(pair, status):
    connection, release = pair.connected(), pair.home.release()
    if status == "withdrawn":
        pair.home.steward.post(f"/releases/{release['id']}/withdraw", json={"reason": "wrong"})
    else:
        pair.home.release(distillation_id=release["distillation_id"])
    refused = pair.home.steward.post(
        f"/releases/{release['id']}/shares", json={"connection_id": connection["id"]}
    )
    assert problem(refused) == (409, "release-not-shareable")


def test_nobody_shares_what_is_not_theirs(pair):
    release, connection = pair.shared()
    body = {"connection_id": connection["id"]}
    stranger = pair.home.stranger
    assert problem(stranger.post(f"/releases/{release['id']}/shares", json=body)) == (
        404,
        "release-not-found",
    )
    assert stranger.get(f"/releases/{release['id']}/shares").status_code == 404
    assert stranger.get("/connections").json()["items"] == []
    assert stranger.get(f"/connections/{connection['id']}").status_code == 404
    assert (
        pair.home.researcher.post(f"/releases/{release['id']}/shares", json=body).status_code == 403
    )


def test_a_hub_shares_nothing_on(pair):
    release, _ = pair.shared()
    body = {"connection_id": "con_none"}
    refused = pair.hub.steward.post(f"/releases/{release['id']}/shares", json=body)
    assert problem(refused) == (404, "not-at-a-hub")


def test_nothing_of_the_hospital_but_the_release_leaves(pair):
    release, _ = pair.shared()
    with pair.hub.database.reading() as session:
        envelope = session.get(Publication, release["id"]).envelope
    document = json.loads(envelope["document"])
    assert set(document) == {
        *("format", "hub", "release", "number", "released_at", "title", "summary", "card"),
        *("terms_template", "duo", "contact", "citation", "embargo_until", "previews", "policy"),
        *("waived", "supersedes", "bundle"),
    }
    for private in (release["distillation_id"], "Dr. Grey"):
        assert private not in envelope["document"]
        assert not pair.hub.files_with(private)


def test_a_token_alone_withdraws_nothing_at_the_hub(pair):
    release, _ = pair.shared()
    body = {"reason": "Because I have the token."}
    refused = pair.hub.steward.post(f"/releases/{release['id']}/withdraw", json=body)
    assert problem(refused) == (409, "withdraw-at-home")
    assert pair.hub.recipient.get(f"/releases/{release['id']}").json()["status"] == "published"


def test_what_was_begun_and_never_ended_is_forgotten_after_a_week(pair):
    release, _ = pair.shared()
    key = f"publications/{release['id']}/000000000000"
    for days, is_there in ((6, True), (8, False)):
        pair.hub.storage.put(key, b"the first part")
        with pair.hub.database.transaction() as session:
            then = utc_now() - timedelta(days=days)
            values = {"status": "receiving", "updated_at": then}
            session.execute(update(Publication).values(values))
        forget_unfinished(pair.hub.services)
        assert pair.hub.storage.exists(key) == is_there
    assert pair.hub.steward.get(f"/publications/{release['id']}").status_code == 404

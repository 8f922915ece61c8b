"""Two people allow one release that the policy objects to; what no policy allows stays."""

from datetime import timedelta

import pytest

from app.core.clock import utc_now
from app.core.security import Role
from app.models import Dataset, Distillation, ReleaseOverride
from tests.fixtures.reports import POWER, privacy

REASON = "For the partners of the trial, under contract."
BODY = {"title": "Chest X-rays", "summary": "Adults.", "contact": "data@st-anna.example"}
WEAK = {"power": POWER | {"tpr": 0.1}}


def code(reply):
    return reply.json()["type"].rpartition(":")[2]


@pytest.fixture
def people(portal):
    """A steward who asks, and an admin who decides; both are persons."""
    home = portal.organisation_id
    return (
        portal.person(home, Role.STEWARD, "Dr. Asking"),
        portal.person(home, Role.ADMIN, "Dr. Deciding"),
    )


def ask(member, distillation_id, *objections, reason=REASON):
    return member.post(
        f"/distillations/{distillation_id}/release-overrides",
        json={"objections": list(objections), "reason": reason},
    )


def publish(member, distillation_id):
    return member.post(f"/distillations/{distillation_id}/releases", json=BODY)


def test_two_people_release_and_everybody_reads_why(portal, people):
    steward, admin = people
    distillation_id = portal.releasable_distillation(privacy=privacy() | WEAK)
    assert code(publish(steward, distillation_id)) == "not-cleared"

    asked = ask(steward, distillation_id, "weak-power")
    assert asked.status_code == 201, asked.text
    assert code(publish(steward, distillation_id)) == "not-cleared"
    approved = admin.post(f"/release-overrides/{asked.json()['id']}/approve", json={})
    assert approved.status_code == 200, approved.text
    assert (approved.json()["status"], approved.json()["decided_by"]) == (
        "approved",
        "Dr. Deciding",
    )
    release = publish(steward, distillation_id).json()

    seen = portal.recipient.get(f"/releases/{release['id']}").json()["override"]
    assert (seen["reason"], seen["people"], seen["objections"]) == (REASON, 2, ["weak-power"])
    assert "Dr." not in str(seen)
    [entry] = portal.admin.get("/audit?action=override.approved").json()["items"]
    told = entry["details"]
    assert (told["requested_by"], told["decided_by"]) == ("Dr. Asking", "Dr. Deciding")
    assert told["reason"] == REASON
    # It was for one release.
    assert code(publish(steward, distillation_id)) == "not-cleared"
    [row] = steward.get(f"/distillations/{distillation_id}/release-overrides").json()["items"]
    assert (row["status"], row["release_id"]) == ("used", release["id"])


def test_nobody_decides_about_the_own_request_nor_a_token_of_no_person(portal, people):
    _, admin = people
    distillation_id = portal.releasable_distillation(privacy=privacy() | WEAK)
    assert code(ask(portal.steward, distillation_id, "weak-power")) == "person-needed"
    override_id = ask(admin, distillation_id, "weak-power").json()["id"]
    assert code(admin.post(f"/release-overrides/{override_id}/approve")) == "second-person-needed"
    assert code(portal.admin.post(f"/release-overrides/{override_id}/approve")) == "person-needed"
    assert code(publish(admin, distillation_id)) == "not-cleared"


def test_a_steward_cannot_decide_nor_another_organisation(portal, people):
    steward, _ = people
    override_id = ask(
        steward, portal.releasable_distillation(privacy=privacy() | WEAK), "weak-power"
    ).json()["id"]
    other = portal.person(portal.organisation_id, Role.STEWARD, "Dr. Other")
    assert other.post(f"/release-overrides/{override_id}/approve").status_code == 403
    stranger = portal.person(portal.elsewhere_id, Role.ADMIN, "Dr. Stranger")
    assert stranger.post(f"/release-overrides/{override_id}/approve").status_code == 404


def test_a_declined_one_allows_nothing_and_is_decided_once(portal, people):
    steward, admin = people
    distillation_id = portal.releasable_distillation(privacy=privacy() | WEAK)
    override_id = ask(steward, distillation_id, "weak-power").json()["id"]
    assert admin.post(f"/release-overrides/{override_id}/decline").json()["status"] == "declined"
    assert code(admin.post(f"/release-overrides/{override_id}/approve")) == "override-decided"
    assert code(publish(steward, distillation_id)) == "not-cleared"
    assert ask(steward, distillation_id, "weak-power").status_code == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"privacy": privacy() | {"verdict": "refuted"}},
        {"privacy": privacy() | {"power": None}},
        {"image_format": "float"},
        {"randomness": "published"},
    ],
)
def test_what_no_policy_could_allow_is_not_overridden(portal, people, changes):
    steward, _ = people
    distillation_id = portal.releasable_distillation(**changes)
    for objection in ("refuted", "no-power", "float-images", "published-seed"):
        assert code(ask(steward, distillation_id, objection)) == "nothing-to-override"


def test_the_sample_cohort_is_not_overridden(portal, people):
    steward, _ = people
    distillation_id = portal.releasable_distillation(privacy=privacy() | WEAK)
    with portal.database.transaction() as session:
        dataset_id = session.get_one(Distillation, distillation_id).dataset_id
        session.get_one(Dataset, dataset_id).sample_seed = 0
    assert code(ask(steward, distillation_id, "weak-power")) == "sample-not-releasable"


def test_an_override_names_what_the_policy_objects_to_and_says_why(portal, people):
    steward, _ = people
    distillation_id = portal.releasable_distillation(privacy=privacy() | WEAK)
    assert code(ask(steward, distillation_id, "small-class")) == "objection-not-waivable"
    assert ask(steward, distillation_id, "weak-power", reason="Because.").status_code == 422
    assert ask(steward, distillation_id, "weak-power").status_code == 201
    assert code(ask(steward, distillation_id, "weak-power")) == "override-open"


def test_it_expires(portal, people):
    steward, admin = people
    distillation_id = portal.releasable_distillation(privacy=privacy() | WEAK)
    override_id = ask(steward, distillation_id, "weak-power").json()["id"]
    admin.post(f"/release-overrides/{override_id}/approve")
    with portal.database.transaction() as session:
        row = session.get_one(ReleaseOverride, override_id)
        assert timedelta(days=29) < row.expires_at - utc_now() < timedelta(days=31)
        row.expires_at = utc_now()
    assert code(publish(steward, distillation_id)) == "not-cleared"
    assert steward.get(f"/release-overrides/{override_id}").json()["status"] == "expired"

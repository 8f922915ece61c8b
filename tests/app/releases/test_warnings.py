"""Releases from before that tell who is in them: marked, and their owners told once."""

from alembic import command

from app.core.security import Role
from app.migrations import config_for, upgrade
from app.models import Release
from app.releases.warnings import warn_owners


def migrate_again(portal):
    """Back to before there were marks, and forth."""
    engine = portal.database.engine
    with engine.begin() as connection:
        config = config_for(engine)
        config.attributes["connection"] = connection
        command.downgrade(config, "0011")
    upgrade(engine)


def test_owners_of_single_patient_starts_are_told_once_and_everybody_sees_it(portal):
    steward = portal.person(portal.organisation_id, Role.STEWARD, "Dr. Steward")
    marked, clean = portal.release()["id"], portal.release()["id"]
    with portal.database.transaction() as session:
        row = session.get_one(Release, marked)
        row.facts = {**row.facts, "initialisation": "k_mean"}
    migrate_again(portal)

    for _ in range(2):
        warn_owners(portal.database)

    assert portal.recipient.get(f"/releases/{clean}").json()["warning"] is None
    warning = portal.recipient.get(f"/releases/{marked}").json()["warning"]
    assert warning["code"] == "single_patient_start"
    assert "which of them are in this set" in warning["text"]
    listed = portal.recipient.get("/catalogue").json()["items"]
    assert {row["id"]: bool(row["warning"]) for row in listed} == {marked: True, clean: False}
    notices = steward.get("/notifications").json()["items"]
    told = [notice for notice in notices if notice["kind"] == "release.warned"]
    assert [notice["link"] for notice in told] == [f"/releases/{marked}"]
    [entry] = portal.admin.get("/audit?action=release.warned").json()["items"]
    assert entry["subject"] == marked

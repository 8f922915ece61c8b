"""The log on its page."""

import pytest
from sqlalchemy import update

from app.audit.log import Action
from app.background import checkpoints
from app.core.security import Role
from app.models import AuditEntry, OrganisationKey
from app.web.texts import texts_in


@pytest.fixture
def auditor(reader):
    return reader(Role.AUDITOR)


def test_an_auditor_reads_who_did_what(portal, auditor):
    portal.new_dataset()
    page = auditor.open("/audit")
    assert "Dataset created" in page
    assert "Organisation created" in page


def test_the_log_is_narrowed_by_action_subject_and_days(portal, auditor):
    dataset_id = portal.new_dataset()
    by_action = auditor.open("/audit?action=dataset.created")
    assert dataset_id in by_action
    assert "Organisation created" not in by_action
    assert "Dataset created" in auditor.open(f"/audit?subject={dataset_id}")
    assert "No matching entry" in auditor.open("/audit?until=2020-01-01")
    assert "No matching entry" in auditor.open("/audit?since=2090-01-01")
    auditor.open("/audit?since=yesterday", status=422)


def test_a_whole_chain_is_verified_to_its_last_entry(portal, auditor):
    portal.new_dataset()
    page = auditor.open("/audit/chain")
    assert "Verified up to entry" in page
    part = auditor.client.get("/audit/chain", headers={"HX-Request": "true"}).text
    assert "Verified up to entry" in part
    assert "<html" not in part


def test_a_long_log_is_verified_from_its_checkpoint_and_on_demand_from_the_first_entry(
    portal, auditor, monkeypatch
):
    monkeypatch.setattr(checkpoints, "MANY", 1)
    checkpoints.sign_checkpoints(portal.services)
    portal.new_dataset()
    page = auditor.open("/audit/chain")
    assert "Verified from the signed checkpoint at entry" in page
    assert 'href="/audit/chain?whole=true"' in page
    assert "Verified up to entry" in auditor.open("/audit/chain?whole=true")


def test_a_log_is_verified_where_the_service_has_lost_its_secret(portal, auditor):
    with portal.database.transaction() as session:
        session.execute(update(OrganisationKey).values(sealed_private_key="of another secret"))
    assert "Verified up to entry" in auditor.open("/audit/chain")


def test_an_entry_that_was_changed_is_found(portal, auditor):
    portal.new_dataset()
    with portal.database.transaction() as session:
        session.execute(
            update(AuditEntry)
            .where(AuditEntry.action == Action.DATASET_CREATED)
            .values(subject="ds_another")
        )
    page = auditor.open("/audit/chain")
    assert "The log was changed" in page
    assert "was changed" in page


def test_another_organisations_log_is_its_own(portal, reader):
    dataset_id = portal.new_dataset()
    assert dataset_id not in reader(Role.ADMIN, elsewhere=True).open("/audit")


@pytest.mark.parametrize("role", [Role.STEWARD, Role.RESEARCHER])
def test_the_log_is_for_auditors_and_admins(reader, role):
    somebody = reader(role)
    somebody.open("/audit", status=403)
    assert 'href="/audit"' not in somebody.open("/")


def test_every_action_has_words():
    texts = texts_in("en")
    names = {a: f"audit-action-{a.value.replace('.', '-').replace('_', '-')}" for a in Action}
    assert [action.value for action, name in names.items() if not texts.has(name)] == []

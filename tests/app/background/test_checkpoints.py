"""A log is checked from its signed checkpoint on, and only a sound log gets one."""

import pytest
from sqlalchemy import delete, func, select, update

from app.audit.chain import BrokenChain
from app.audit.log import Action, record_by_portal
from app.audit.repository import AuditRepository
from app.audit.statement import signed_head
from app.audit.verify import check, check_since
from app.background import checkpoints
from app.core.clock import utc_now
from app.models import AuditCheckpoint, AuditEntry, OrganisationKey
from app.organisations.keys.service import sealed_key
from app.signing.keys import KeyHistory, new_key
from app.signing.signature import Signer


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch):
    monkeypatch.setattr(checkpoints, "MANY", 10)


def write(portal, count):
    with portal.database.transaction() as session:
        for number in range(count):
            record_by_portal(
                session, portal.organisation_id, Action.DATASET_CREATED, f"ds_{number}"
            )


def change(portal, number, **values):
    with portal.database.transaction() as session:
        session.execute(
            update(AuditEntry)
            .where(
                AuditEntry.organisation_id == portal.organisation_id, AuditEntry.number == number
            )
            .values(values)
        )


def verified(portal):
    """From the checkpoint on, as the page does it."""
    with portal.database.reading() as session:
        key = sealed_key(session, portal.services.vault, portal.organisation_id)
        return check_since(session, portal.organisation_id, key)


def statement(portal):
    with portal.database.reading() as session:
        row = session.get(AuditCheckpoint, portal.organisation_id)
        return None if row is None else row.statement


def length(portal):
    query = select(func.max(AuditEntry.number)).where(
        AuditEntry.organisation_id == portal.organisation_id
    )
    with portal.database.reading() as session:
        return session.scalar(query)


def test_a_log_that_has_grown_gets_one_and_is_checked_from_there(portal):
    write(portal, 10)
    assert checkpoints.sign_checkpoints(portal.services) == 1
    reached = length(portal)
    write(portal, 3)

    found = verified(portal)

    assert found.since.head.number == reached
    assert found.end.number == reached + 3
    assert checkpoints.sign_checkpoints(portal.services) == 0, "it has hardly grown"
    write(portal, 10)
    assert checkpoints.sign_checkpoints(portal.services) == 1
    assert verified(portal).since.head.number == reached + 13


def test_without_one_it_is_checked_from_the_first_entry(portal):
    write(portal, 3)

    assert verified(portal).since is None
    change(portal, 2, subject="ds_another")
    with pytest.raises(BrokenChain, match="entry 2 was changed"):
        verified(portal)


def test_what_was_changed_since_is_found_and_gets_no_checkpoint(portal, caplog):
    write(portal, 10)
    checkpoints.sign_checkpoints(portal.services)
    before = statement(portal)
    write(portal, 20)
    change(portal, length(portal) - 5, subject="ds_another")

    with pytest.raises(BrokenChain, match="was changed"):
        verified(portal)
    assert checkpoints.sign_checkpoints(portal.services) == 0
    assert statement(portal) == before
    assert f"the log of {portal.organisation_id} was changed" in caplog.text


def test_its_own_entry_is_looked_at_and_earlier_ones_only_from_the_start(portal):
    write(portal, 10)
    checkpoints.sign_checkpoints(portal.services)
    reached = length(portal)

    change(portal, 2, subject="ds_another")
    assert verified(portal).end.number == reached
    with portal.database.reading() as session, pytest.raises(BrokenChain, match="entry 2"):
        check(session, portal.organisation_id)

    change(portal, reached, subject="ds_another")
    with pytest.raises(BrokenChain, match=f"entry {reached} was changed"):
        verified(portal)


@pytest.mark.parametrize("what", ["number", "hash", "signature"])
def test_one_that_was_changed_is_found(portal, what):
    write(portal, 10)
    checkpoints.sign_checkpoints(portal.services)
    line = statement(portal)
    if what == "signature":
        line["signature"] = line["signature"][:-8] + "AAAAAAAA"
    else:
        line["head"][what] = 3 if what == "number" else "0" * 64
    with portal.database.transaction() as session:
        session.execute(update(AuditCheckpoint).values(statement=line))

    with pytest.raises(BrokenChain, match="its checkpoint was changed"):
        verified(portal)


def test_one_that_names_more_than_there_is_shows_that_the_end_was_cut_off(portal):
    write(portal, 10)
    checkpoints.sign_checkpoints(portal.services)
    reached = length(portal)
    with portal.database.transaction() as session:
        session.execute(
            delete(AuditEntry).where(
                AuditEntry.organisation_id == portal.organisation_id, AuditEntry.number == reached
            )
        )

    with pytest.raises(BrokenChain, match=f"entry {reached}, which its checkpoint names"):
        verified(portal)


@pytest.mark.parametrize("compromised", [False, True])
def test_one_of_an_earlier_key_is_not_believed_and_the_present_key_signs_anew(portal, compromised):
    write(portal, 10)
    checkpoints.sign_checkpoints(portal.services)
    rotated = portal.admin.post("/organisations/mine/keys", json={"compromised": compromised})
    assert rotated.status_code == 201, rotated.text

    assert verified(portal).since is None
    assert checkpoints.sign_checkpoints(portal.services) == 1
    assert verified(portal).since is not None


def test_one_that_somebody_signed_with_a_key_of_their_own_is_not_believed(portal):
    """They write whatever they like to the database, and have not the secret of the service."""
    write(portal, 10)
    private, public = new_key()
    change(portal, 2, subject="ds_another")
    with portal.database.transaction() as session:
        end = AuditRepository(session).head(portal.organisation_id)
        signer = Signer.with_key("St. Anna", private, KeyHistory.from_list(public, []))
        AuditRepository(session).keep_checkpoint(
            portal.organisation_id, signed_head(end, portal.organisation_id, signer, utc_now())
        )
        session.execute(
            update(OrganisationKey)
            .where(OrganisationKey.organisation_id == portal.organisation_id)
            .values(public_key=public)
        )

    with pytest.raises(BrokenChain, match="entry 2 was changed"):
        verified(portal)
    assert checkpoints.sign_checkpoints(portal.services) == 0


def test_a_key_that_cannot_be_opened_holds_up_no_other_log(portal, caplog):
    write(portal, 10)
    with portal.database.transaction() as session:
        for number in range(10):
            record_by_portal(session, portal.elsewhere_id, Action.DATASET_CREATED, f"ds_{number}")
        session.execute(
            update(OrganisationKey)
            .where(OrganisationKey.organisation_id == portal.organisation_id)
            .values(sealed_private_key="sealed with another secret")
        )

    assert checkpoints.sign_checkpoints(portal.services) == 1
    assert f"the key of {portal.organisation_id} cannot be opened" in caplog.text

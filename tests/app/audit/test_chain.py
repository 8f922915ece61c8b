"""The chain of the log: whatever is changed, taken out or moved is found."""

import contextlib
import copy

import pytest
from sqlalchemy import update

from app.audit.chain import BrokenChain, Head, expect_end, follow
from app.audit.log import Action, entry_dict, record_by_portal
from app.audit.repository import AuditRepository
from app.core.db import Database
from app.models import AuditEntry, AuditHead, Organisation


def write(database: Database, count: int = 5) -> str:
    with database.transaction() as session:
        organisation = Organisation(name="St. Anna")
        session.add(organisation)
        session.flush()
        for number in range(count):
            record_by_portal(
                session,
                organisation.id,
                Action.DATASET_CREATED,
                f"ds_{number}",
                share=0.1 * number,
                text="Müller – „x“",
            )
    return organisation.id


def check(database: Database, organisation_id: str) -> Head:
    with database.reading() as session:
        log = AuditRepository(session)
        found = follow(map(entry_dict, log.from_the_start(organisation_id)))
        expect_end(found, log.head(organisation_id))
        return found


def test_an_untouched_log_is_sound(database: Database) -> None:
    assert check(database, write(database)).number == 5


@pytest.mark.parametrize(
    "values",
    [
        {"action": "dataset.deleted"},
        {"subject": "ds_9"},
        {"actor": {"name": "somebody else"}},
        {"details": {}},
        {"outcome": "refused"},
        {"hash": "0" * 64},
        {"previous_hash": "0" * 64},
    ],
)
def test_a_changed_entry_is_found(database: Database, values: dict[str, object]) -> None:
    organisation_id = write(database)
    with database.transaction() as session:
        session.execute(update(AuditEntry).where(AuditEntry.number == 3).values(values))
    with pytest.raises(BrokenChain, match=r"entry [34]"):
        check(database, organisation_id)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_deleted_entry_is_found(database: Database, number: int) -> None:
    organisation_id = write(database)
    with database.transaction() as session:
        session.delete(session.get(AuditEntry, (organisation_id, number)))
    with pytest.raises(BrokenChain, match="missing"):
        check(database, organisation_id)


def test_entries_that_change_places_are_found(database: Database) -> None:
    organisation_id = write(database)
    with database.transaction() as session:
        for before, after in ((2, 99), (3, 2), (99, 3)):
            session.execute(
                update(AuditEntry).where(AuditEntry.number == before).values(number=after)
            )
    with pytest.raises(BrokenChain):
        check(database, organisation_id)


def test_an_end_that_was_cut_off_is_found_by_the_head(database: Database) -> None:
    organisation_id = write(database)
    with database.transaction() as session:
        for number in (4, 5):
            session.delete(session.get(AuditEntry, (organisation_id, number)))
    with pytest.raises(BrokenChain, match="2 entries after entry 3 are missing"):
        check(database, organisation_id)


def test_a_log_forged_as_a_whole_differs_from_one_kept_elsewhere(database: Database) -> None:
    organisation_id = write(database)
    kept = check(database, organisation_id)
    with database.reading() as session:
        entries = [
            entry_dict(row) for row in AuditRepository(session).from_the_start(organisation_id)
        ]
    from app.audit.chain import START, hash_entry

    forged, previous = copy.deepcopy(entries), START
    forged[2]["subject"] = "ds_9"
    for entry in forged:
        entry["previous_hash"] = previous
        entry["hash"] = previous = hash_entry(entry)
    with pytest.raises(BrokenChain, match="ends with another entry"):
        expect_end(follow(forged), kept)


def test_many_who_write_at_once_leave_one_chain(database: Database) -> None:
    from concurrent.futures import ThreadPoolExecutor

    organisation_id = write(database, 1)

    def add(number: int) -> None:
        with database.transaction() as session:
            record_by_portal(session, organisation_id, Action.IMAGES_SEEN, f"ds_{number}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(40)))
    assert check(database, organisation_id).number == 41


def test_what_was_not_done_is_not_told(database: Database) -> None:
    organisation_id = write(database, 1)
    with contextlib.suppress(InterruptedError), database.transaction() as session:
        record_by_portal(session, organisation_id, Action.DATASET_DELETED, "ds_0")
        raise InterruptedError
    assert check(database, organisation_id).number == 1
    with database.reading() as session:
        assert session.get(AuditHead, organisation_id).number == 1

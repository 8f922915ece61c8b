"""The ledger of a dataset in the database, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.core.db import Database
from app.ledgers.store import DatabaseLedgerStore
from app.models import Dataset, LedgerEvent, Organisation
from iadd.dp.accountant import Mechanism
from iadd.dp.ledger import Budget, BudgetExceededError, Event, Ledger

STEP = Mechanism("sampled_gaussian", 2.0, 0.1)


def read(purpose: str = "gradients", **changes: object) -> Event:
    values: dict[str, Any] = {
        "kind": "budgeted",
        "purpose": purpose,
        "run": "run",
        "mechanism": STEP,
    }
    return Event(**values | changes)


@pytest.fixture
def dataset_id(database: Database) -> str:
    with database.transaction() as session:
        organisation = Organisation(name="Hospital")
        session.add(organisation)
        session.flush()
        first = Dataset(organisation_id=organisation.id, name="X-rays")
        session.add(first)
    return first.id


def test_events_are_read_back_as_they_were_booked(database: Database, dataset_id: str) -> None:
    events = [
        read(),
        read(kind="public", mechanism=None, released=3019.0),
        read("refused: images", kind="fatal", mechanism=None, count=2),
    ]
    store = DatabaseLedgerStore(database, dataset_id)
    for event in events:
        store.append(event)
    assert list(DatabaseLedgerStore(database, dataset_id).events()) == events


def test_an_event_that_is_not_admitted_is_not_booked(database: Database, dataset_id: str) -> None:
    store = DatabaseLedgerStore(database, dataset_id)
    once = Mechanism("laplace", 1.0)
    ledger = Ledger(store, Budget(epsilon=1.5, delta=1e-5))
    ledger.book(read(mechanism=once))
    with pytest.raises(BudgetExceededError):
        ledger.book(read(mechanism=once))
    assert len(store.events()) == 1


def test_processes_that_book_at_once_lose_no_event(database: Database, dataset_id: str) -> None:
    def book(worker: int) -> None:
        store = DatabaseLedgerStore(database, dataset_id)
        for number in range(5):
            store.append(read(f"{worker}/{number}"))

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(book, range(4)))
    purposes = [event.purpose for event in DatabaseLedgerStore(database, dataset_id).events()]
    assert sorted(purposes) == sorted(f"{w}/{n}" for w in range(4) for n in range(5))


def test_versions_of_a_dataset_share_one_ledger(database: Database, dataset_id: str) -> None:
    with database.transaction() as session:
        first = session.get_one(Dataset, dataset_id)
        second = Dataset(
            organisation_id=first.organisation_id, name="X-rays", first_id=first.id, version=2
        )
        session.add(second)
    DatabaseLedgerStore(database, dataset_id).append(read("the first"))
    DatabaseLedgerStore(database, second.id).append(read("the second"))
    events = DatabaseLedgerStore(database, dataset_id).events()
    assert [event.purpose for event in events] == ["the first", "the second"]
    with database.reading() as session:
        rows = session.query(LedgerEvent).order_by(LedgerEvent.number).all()
    assert [row.dataset_id for row in rows] == [dataset_id, second.id]

"""Keeps the ledger of a dataset in the database, for whoever reads its private images.

An event is committed before :meth:`DatabaseLedgerStore.append` returns, and so before the read that
it books. Appends to one ledger are one after the other, from whatever process.
"""

from collections.abc import Sequence
from datetime import datetime

from app.core.db import Database
from app.core.types import JsonObject
from app.ledgers.repository import LedgerRepository
from app.models.ledger_event import LedgerEvent
from iadd.dp.ledger import Admit, Event

AUDITED_DISTILLATION = "audited distillation"
TRAINING = "training on own images"
"""Purposes of exact reads whose results may be shared. No ε covers them."""


class DatabaseLedgerStore:
    """The ledger of a dataset, an `iadd.dp.ledger.LedgerStore`.

    Args:
        database: Where the events are kept.
        dataset_id: The dataset that is read. All versions of it share one ledger.
    """

    def __init__(self, database: Database, dataset_id: str) -> None:
        self._database, self._dataset_id = database, dataset_id
        with database.reading() as session:
            self._line_id = LedgerRepository(session).line_of(dataset_id)

    def events(self) -> Sequence[Event]:
        """Return all events, the oldest first."""
        with self._database.reading() as session:
            return [event_of(row) for row in LedgerRepository(session).events(self._line_id)]

    def append(self, event: Event, *, admit: Admit | None = None) -> None:
        """Add an event durably, unless `admit` raises; nobody else adds one in between."""
        with self._database.transaction() as session:
            ledger = LedgerRepository(session)
            ledger.lock(self._line_id)
            if admit is not None:
                admit((*map(event_of, ledger.events(self._line_id)), event))
            ledger.append(self._line_id, self._dataset_id, _values(event))


def book_exact_reads(database: Database, dataset_id: str, *, run: str, purpose: str) -> None:
    """Book that a run without a proof reads the images, once however often it goes on.

    Args:
        database: Where the events are kept.
        dataset_id: The dataset that is read.
        run: Id of what depends on the images.
        purpose: What it is, in words.
    """
    event = Event(kind="fatal", purpose=purpose, run=run)
    with database.transaction() as session:
        ledger = LedgerRepository(session)
        line_id = ledger.line_of(dataset_id)
        ledger.lock(line_id)
        if not ledger.holds(line_id, run=run, purpose=purpose):
            ledger.append(line_id, dataset_id, _values(event))


def event_of(row: LedgerEvent) -> Event:
    """Return the event that a row keeps."""
    return Event.from_dict(
        {
            "kind": row.kind,
            "purpose": row.purpose,
            "run": row.run,
            "mechanism": row.mechanism,
            "count": row.count,
            "released": row.released,
            "at": row.booked_at.isoformat(timespec="seconds"),
        }
    )


def _values(event: Event) -> JsonObject:
    values = event.to_dict()
    values["booked_at"] = datetime.fromisoformat(values.pop("at"))
    return values

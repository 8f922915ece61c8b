"""Queries for the ledger of a dataset: events are added and read, and nothing else."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.types import JsonObject
from app.models.dataset import Dataset
from app.models.ledger_event import LedgerEvent


class LedgerRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def line_of(self, dataset_id: str) -> str:
        """The first version of a dataset's line, also once it is deleted; it names the ledger."""
        query = select(func.coalesce(Dataset.first_id, Dataset.id)).where(Dataset.id == dataset_id)
        return self._session.scalars(query).one()

    def lock(self, line_id: str) -> None:
        """Let nobody else add an event to this ledger until the transaction ends.

        SQLite has one writer, and its transactions that write begin with the lock.
        """
        query = select(Dataset.id).where(Dataset.id == line_id).with_for_update()
        self._session.execute(query).one()

    def events(self, line_id: str) -> Sequence[LedgerEvent]:
        """All events, the oldest first."""
        query = select(LedgerEvent).where(LedgerEvent.line_id == line_id)
        return self._session.scalars(query.order_by(LedgerEvent.number)).all()

    def holds(self, line_id: str, *, run: str, purpose: str) -> bool:
        """Return whether a read of this run and purpose is booked."""
        query = select(LedgerEvent.number).where(
            LedgerEvent.line_id == line_id,
            LedgerEvent.run == run,
            LedgerEvent.purpose == purpose,
        )
        return self._session.scalar(query.limit(1)) is not None

    def append(self, line_id: str, dataset_id: str, values: JsonObject) -> None:
        """Add an event. The caller holds the lock."""
        newest = self._session.scalar(
            select(func.max(LedgerEvent.number)).where(LedgerEvent.line_id == line_id)
        )
        number = (newest or 0) + 1
        self._session.add(
            LedgerEvent(line_id=line_id, number=number, dataset_id=dataset_id, **values)
        )
        self._session.flush()

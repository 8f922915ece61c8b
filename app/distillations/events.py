"""Events of a distillation, stored in the transaction of the change."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.core.types import JsonObject
from app.models.distillation import Distillation
from app.models.event import Event, EventKind


class EventRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def append(self, distillation_id: str, kind: EventKind, data: JsonObject) -> None:
        """Add an event. Locks the distillation's row until the commit.

        Without the lock two writers could commit their ids in the other order, and a reader
        that has seen the larger one would never ask for the smaller.
        """
        self._session.execute(
            select(Distillation.id).where(Distillation.id == distillation_id).with_for_update()
        )
        self._session.add(Event(distillation_id=distillation_id, kind=kind, data=data))
        self._session.flush()

    def after(self, distillation_id: str, event_id: int, *, limit: int = 500) -> Sequence[Event]:
        return self._session.scalars(
            select(Event)
            .where(Event.distillation_id == distillation_id, Event.id > event_id)
            .order_by(Event.id)
            .limit(limit)
        ).all()

    def newest(self, distillation_id: str) -> int:
        """Id of the newest event; 0 where there is none."""
        query = select(func.max(Event.id)).where(Event.distillation_id == distillation_id)
        return self._session.scalar(query) or 0

    def last(self, distillation_id: str, kind: EventKind, *, limit: int) -> Sequence[Event]:
        """The latest of one kind, the oldest of them first."""
        rows = self._session.scalars(
            select(Event)
            .where(Event.distillation_id == distillation_id, Event.kind == kind)
            .order_by(Event.id.desc())
            .limit(limit)
        ).all()
        return rows[::-1]

    def delete_all(self, distillation_id: str) -> None:
        self._session.execute(delete(Event).where(Event.distillation_id == distillation_id))

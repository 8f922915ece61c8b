"""Outbox: rows written with a change and sent later by one of several portals.

A portal takes a row before it sends it, and has it until a moment that it names. When it dies on
the way another one takes the row after that moment, so that everything is sent at least once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, and_, or_, select, true, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.core.clock import utc_now

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Outbox(Generic[Row]):
    """A table of such rows, with `id`, `created_at` and `next_try_at`.

    Attributes:
        model: The table.
        status: Its column of the status.
        tries: Its column that counts tries.
        pending: The status of what is still to be sent.
        longest_pause: Longest time to a next try. One that is farther off was written by a clock
            that ran ahead, and is due.
    """

    model: type[Row]
    status: InstrumentedAttribute[Any]
    tries: InstrumentedAttribute[int]
    pending: StrEnum
    longest_pause: timedelta

    def is_due(self, now: datetime) -> ColumnElement[bool]:
        next_try_at = self._column("next_try_at")
        is_due = or_(
            next_try_at.is_(None), next_try_at <= now, next_try_at > now + self.longest_pause
        )
        return and_(self.status == self.pending, is_due)

    def due(self, session: Session, now: datetime, limit: int) -> Sequence[str]:
        """Ids of what is to be sent, oldest first."""
        return session.scalars(
            select(self._column("id"))
            .where(self.is_due(now))
            .order_by(self._column("created_at"))
            .limit(limit)
        ).all()

    def take(self, session: Session, row_id: str, *, until: datetime) -> Row | None:
        """Take one to send; None where another portal has it. Its next try is `until`."""
        taken = session.execute(
            update(self.model)
            .where(self._column("id") == row_id, self.is_due(utc_now()))
            .values({"next_try_at": until, self.tries.key: self.tries + 1})
            .returning(self._column("id"))
            .execution_options(synchronize_session=False)
        ).scalar_one_or_none()
        if taken is None:
            return None
        return session.get(self.model, row_id, populate_existing=True)

    def postpone(self, session: Session, row: Row, until: datetime, **values: Any) -> None:
        """Try again then; does nothing if another portal has taken it meanwhile."""
        self._write(session, row, {"next_try_at": until, **values}, self._is_still_ours(row))

    def give_up(self, session: Session, row: Row, status: StrEnum, **values: Any) -> None:
        """Give up; does nothing if another portal has taken it meanwhile."""
        self._end(session, row, status, values, self._is_still_ours(row))

    def finish(self, session: Session, row: Row, status: StrEnum, **values: Any) -> None:
        """Mark it as sent, even if another portal has taken it meanwhile."""
        self._end(session, row, status, values, true())

    def _end(
        self,
        session: Session,
        row: Row,
        status: StrEnum,
        values: dict[str, Any],
        where: ColumnElement[bool],
    ) -> None:
        ended = {self.status.key: status, "next_try_at": None, **values}
        self._write(session, row, ended, where)

    def _write(
        self, session: Session, row: Row, values: dict[str, Any], where: ColumnElement[bool]
    ) -> None:
        row_id: str = row.id  # type: ignore[attr-defined]
        session.execute(
            update(self.model)
            .where(self._column("id") == row_id, self.status == self.pending, where)
            .values(values)
            .execution_options(synchronize_session=False)
        )

    def _is_still_ours(self, row: Row) -> ColumnElement[bool]:
        tries: int = getattr(row, self.tries.key)
        return self.tries == tries

    def _column(self, name: str) -> InstrumentedAttribute[Any]:
        column: InstrumentedAttribute[Any] = getattr(self.model, name)
        return column

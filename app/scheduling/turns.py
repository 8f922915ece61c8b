"""Whose turn it is: fair between organisations, by priority within one (docs/adr/039).

A message says only that a queue has work. Which row its worker takes, the database says at that
moment: a row of the organisation with the fewest running rows in that queue, of several the one
that has used the fewest seconds of its workers within a day. A hundred jobs of one hospital delay
the one job of another by the task that runs, and not by a hundred jobs.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Label, func, select
from sqlalchemy.orm import Session

from app.core import leases
from app.core.queue import Queue, Task
from app.models.device_use import DeviceUse
from app.scheduling.duties import Duty, duties_of, duty_of

REMEMBERED = timedelta(days=1)
"""Use of a queue's workers within this time counts."""


@dataclass(frozen=True)
class Turn:
    """A row that a worker should take."""

    task: Task
    row_id: str


@dataclass(frozen=True)
class Standing:
    """An organisation that waits for the workers of a queue; the smallest goes first.

    Attributes:
        held: Rows of it that workers work on.
        used_seconds: Seconds of the queue's workers that it used within a day.
        since: When its oldest waiting row was touched last.
        waiting: Rows of it that wait.
    """

    organisation_id: str
    held: int
    used_seconds: float
    since: datetime
    waiting: int

    @property
    def order(self) -> tuple[int, float, datetime]:
        return (self.held, self.used_seconds, self.since)


def next_turn(session: Session, queue: Queue, *, besides: Collection[str] = ()) -> Turn | None:
    """The row that a worker of this queue should take now; None if none waits.

    Args:
        session: Reads.
        queue: The worker's.
        besides: Ids of rows that are not to be named: the worker tried them in vain.
    """
    now = leases.now_of(session)
    waiting = standings(session, queue, now, besides=besides)
    if not waiting:
        return None
    organisation_id = waiting[0].organisation_id
    firsts = [
        (row.rank, place, row.updated_at, Turn(duty.task, row.id))
        for place, duty in enumerate(duties_of(queue))
        if (row := _first(session, duty, organisation_id, now, besides)) is not None
    ]
    return min(firsts, key=lambda first: first[:3])[3] if firsts else None


def is_waiting(session: Session, task: Task, row_id: str) -> bool:
    """Whether the row is to be worked on by this task, and nobody does."""
    duty = duty_of(task)
    query = select(duty.model.id).where(duty.model.id == row_id, duty.waits(leases.now_of(session)))
    return session.scalar(query) is not None


def standings(
    session: Session, queue: Queue, now: datetime, *, besides: Collection[str] = ()
) -> list[Standing]:
    """The organisations that wait for the workers of this queue, in the order of their turns."""
    waiting: Counter[str] = Counter()
    held: Counter[str] = Counter()
    since: dict[str, datetime] = {}
    for duty in duties_of(queue):
        for row in session.execute(_counts(duty, now, besides)):
            if row.is_held:
                held[row.organisation_id] += row.rows
            else:
                waiting[row.organisation_id] += row.rows
                known = since.get(row.organisation_id, row.oldest)
                since[row.organisation_id] = min(known, row.oldest)
    used = used_seconds(session, queue, now - REMEMBERED) if len(waiting) > 1 else {}
    found = [
        Standing(one, held[one], used.get(one, 0.0), since[one], count)
        for one, count in waiting.items()
    ]
    return sorted(found, key=lambda standing: standing.order)


def used_seconds(session: Session, queue: Queue, since: datetime) -> dict[str, float]:
    """Seconds of the queue's workers by organisation."""
    rows = session.execute(
        select(DeviceUse.organisation_id, func.sum(DeviceUse.seconds))
        .where(DeviceUse.queue == queue.value, DeviceUse.ended_at >= since)
        .group_by(DeviceUse.organisation_id)
    )
    return {row[0]: float(row[1]) for row in rows}


def _counts(duty: Duty, now: datetime, besides: Collection[str]) -> Any:
    """Rows by organisation and by whether somebody has them."""
    model = duty.model
    rows = (
        select(
            duty.organisation.label("organisation_id"),
            func.coalesce(leases.is_held(model, now), False).label("is_held"),
            model.updated_at,
        )
        .where(duty.wanted, model.id.not_in(list(besides)))
        .subquery()
    )
    return select(
        rows.c.organisation_id,
        rows.c.is_held,
        func.count().label("rows"),
        func.min(rows.c.updated_at).label("oldest"),
    ).group_by(rows.c.organisation_id, rows.c.is_held)


def _first(
    session: Session, duty: Duty, organisation_id: str, now: datetime, besides: Collection[str]
) -> Any:
    model = duty.model
    rank: Label[int] = duty.rank.label("rank")
    return session.execute(
        select(model.id, model.updated_at, rank)
        .where(
            duty.waits(now), duty.organisation == organisation_id, model.id.not_in(list(besides))
        )
        .order_by(rank, model.updated_at)
        .limit(1)
    ).one_or_none()

"""Queries for the repetitions of a distillation that its audit needs."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, delete, exists, select, update
from sqlalchemy.orm import Session

from app.core import leases
from app.models.audit_twin import AuditTwin, TwinStatus
from app.models.distillation import Distillation, DistillationStatus

UNFINISHED = (TwinStatus.PENDING, TwinStatus.RUNNING)
RUNS_AT_ONCE = 4
"""Repetitions that one worker trains together: their networks have one form."""


def is_audited(distillation_id: SQLColumnExpression[str] | str) -> ColumnElement[bool]:
    """Condition: this distillation is `auditing`, and no cancel was requested."""
    return exists().where(
        Distillation.id == distillation_id,
        Distillation.status == DistillationStatus.AUDITING,
        Distillation.cancel_requested_at.is_(None),
    )


def has_unfinished(distillation_id: SQLColumnExpression[str] | str) -> ColumnElement[bool]:
    """Condition: a repetition of this distillation is not finished, so the audit waits."""
    return exists().where(
        AuditTwin.distillation_id == distillation_id, AuditTwin.status.in_(UNFINISHED)
    )


class AuditTwinRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def load(self, twin_id: str) -> AuditTwin | None:
        return self._session.get(AuditTwin, twin_id, populate_existing=True)

    def of(self, distillation_id: str) -> Sequence[AuditTwin]:
        """In the order of their numbers."""
        return self._session.scalars(
            select(AuditTwin)
            .where(AuditTwin.distillation_id == distillation_id)
            .order_by(AuditTwin.number)
            .execution_options(populate_existing=True)
        ).all()

    def find_or_add(self, distillation_id: str, runs: int) -> Sequence[AuditTwin]:
        """The repetitions 0 to `runs` - 1; made, `pending`, if there are none.

        Called under the distillation's lease: nobody else makes them at the same time.
        """
        found = self.of(distillation_id)
        if not found:
            self._session.add_all(
                AuditTwin(
                    distillation_id=distillation_id,
                    number=first,
                    runs=min(RUNS_AT_ONCE, runs - first),
                )
                for first in range(0, runs, RUNS_AT_ONCE)
            )
            self._session.flush()
        return found or self.of(distillation_id)

    def reset_failed(self, distillation_id: str) -> None:
        """Failed ones wait again."""
        self._session.execute(
            update(AuditTwin)
            .where(
                AuditTwin.distillation_id == distillation_id, AuditTwin.status == TwinStatus.FAILED
            )
            .values(status=TwinStatus.PENDING, problem=None, fence=AuditTwin.fence + 1)
            .execution_options(synchronize_session=False)
        )

    def is_wanted(self, twin_id: str) -> bool:
        twin = self._session.get_one(AuditTwin, twin_id)
        return bool(self._session.scalar(select(is_audited(twin.distillation_id))))

    def are_done(self, distillation_id: str) -> bool:
        """True if none is left; the distillation stays locked until the commit.

        Without the lock two workers that finish at once would each see the other's as unfinished.
        """
        self._session.execute(
            select(Distillation.id).where(Distillation.id == distillation_id).with_for_update()
        )
        return not self._session.scalar(select(has_unfinished(distillation_id)))

    def claim(self, twin_id: str, *, owner: str, seconds: float) -> int | None:
        """`pending → running`, or take over from a worker whose lease ran out; the fence."""
        fence = leases.claim(
            self._session, AuditTwin, twin_id, statuses=UNFINISHED, owner=owner, seconds=seconds
        )
        if fence is not None:
            self.write(
                twin_id, fence=fence, status=TwinStatus.RUNNING, attempt=AuditTwin.attempt + 1
            )
        return fence

    def write(self, twin_id: str, *, fence: int, **values: Any) -> None:
        """Raises LeaseLost."""
        leases.write(self._session, AuditTwin, twin_id, fence=fence, **values)

    def finish(self, twin_id: str, *, fence: int, status: TwinStatus, **values: Any) -> None:
        """`running → done | failed`, or back to `pending` when it is no longer wanted.

        Raises LeaseLost.
        """
        leases.release(self._session, AuditTwin, twin_id, fence=fence, status=status, **values)

    def forget(self, distillation_ids: Collection[str]) -> None:
        """Delete the rows; their objects go with the distillation's folder."""
        self._session.execute(
            delete(AuditTwin).where(AuditTwin.distillation_id.in_(distillation_ids))
        )

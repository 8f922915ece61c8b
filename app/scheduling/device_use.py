"""Books how long workers worked for whom."""

from datetime import timedelta

from sqlalchemy import Label, delete, select
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.queue import Task
from app.models.device_use import DeviceUse
from app.scheduling.duties import duty_of

KEPT = timedelta(days=90)
"""Longer than any quota or turn looks back."""


def book(session: Session, task: Task, row_id: str, seconds: float) -> None:
    """Book the seconds for the row's organisation; a row that is gone by now is nobody's."""
    duty = duty_of(task)
    organisation: Label[str] = duty.organisation.label("id")
    organisation_id = session.scalar(select(organisation).where(duty.model.id == row_id))
    if organisation_id is None:
        return
    session.add(
        DeviceUse(
            organisation_id=organisation_id,
            queue=task.queue.value,
            seconds=seconds,
            ended_at=utc_now(),
        )
    )


def forget_old(session: Session) -> None:
    session.execute(delete(DeviceUse).where(DeviceUse.ended_at < utc_now() - KEPT))

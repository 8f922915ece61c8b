"""What a job waits for: a worker at all, a free worker, or the turns of others."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Label, select
from sqlalchemy.orm import Session

from app.core import leases
from app.maintenance.drain import drained_since
from app.maintenance.workers import working_workers
from app.models.audit_twin import AuditTwin
from app.models.dataset import Dataset
from app.models.distillation import Distillation
from app.models.teacher import Teacher
from app.models.text_scan import TextScan
from app.models.training import Training
from app.scheduling.duties import DUTIES, Duty, duties_of
from app.scheduling.schemas import Wait, WaitReason
from app.scheduling.turns import standings

Job = Dataset | Distillation | Training


@dataclass(frozen=True)
class _Step:
    """A waiting row of a job."""

    duty: Duty
    rank: int
    since: datetime


def wait_of(session: Session, job: Job) -> Wait | None:
    """What the job's next step waits for; None if a worker works on it, or none is needed."""
    now = leases.now_of(session)
    steps: list[_Step] = []
    for duty in DUTIES:
        where = _rows_of(job, duty.model)
        if where is None:
            continue
        if _is_held(session, duty, where, now):
            return None
        rank: Label[int] = duty.rank.label("rank")
        first = session.execute(
            select(duty.model.updated_at, rank)
            .where(duty.waits(now), where)
            .order_by(rank, duty.model.updated_at)
            .limit(1)
        ).one_or_none()
        if first is not None:
            steps.append(_Step(duty, first.rank, first.updated_at))
    if not steps:
        return None
    step = min(steps, key=lambda step: step.since)
    return _wait_for(session, job, step, now)


def _wait_for(session: Session, job: Job, step: _Step, now: datetime) -> Wait:
    queue = step.duty.task.queue
    workers = [one for one in working_workers(session) if queue.value in one.queues]
    order = [one.organisation_id for one in standings(session, queue, now)]
    before = order.index(job.organisation_id) if job.organisation_id in order else 0
    if drained_since(session) is not None:
        reason = WaitReason.DRAINED
    elif not workers:
        reason = WaitReason.NO_WORKER
    elif any(worker.row_id is None for worker in workers):
        reason = WaitReason.NEXT
    else:
        reason = WaitReason.BUSY
    return Wait(
        reason=reason,
        queue=queue,
        since=step.since,
        organisations_before=before,
        own_before=_own_before(session, job, step, now),
    )


def _rows_of(job: Job, model: type[Any]) -> ColumnElement[bool] | None:
    """Condition: a row of this table belongs to the job; None where none can."""
    if isinstance(job, model):
        same: ColumnElement[bool] = model.id == job.id
        return same
    if isinstance(job, Distillation):
        if model is Teacher and job.trajectory_set_id is not None:
            return Teacher.trajectory_set_id == job.trajectory_set_id
        if model is AuditTwin:
            return AuditTwin.distillation_id == job.id
    if isinstance(job, Dataset) and model is TextScan:
        return TextScan.dataset_id == job.id
    return None


def _is_held(session: Session, duty: Duty, where: ColumnElement[bool], now: datetime) -> bool:
    query = select(duty.model.id).where(where, leases.is_held(duty.model, now)).limit(1)
    return session.scalar(query) is not None


def _own_before(session: Session, job: Job, step: _Step, now: datetime) -> int:
    """Waiting rows of the organisation's other jobs that have their turn before this step."""
    before = 0
    duties = duties_of(step.duty.task.queue)
    for place, duty in enumerate(duties):
        rank: Label[int] = duty.rank.label("rank")
        rows = session.execute(
            select(rank, duty.model.updated_at).where(
                duty.waits(now),
                duty.organisation == job.organisation_id,
                *(~where for where in [_rows_of(job, duty.model)] if where is not None),
            )
        )
        own = (step.rank, duties.index(step.duty), step.since)
        before += sum((row.rank, place, row.updated_at) < own for row in rows)
    return before

"""The rows that workers have to work on: which task is there for which, and whose they are.

`DUTIES` stands in the order in which an organisation's rows take their turn: what has begun ends
before the next begins.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, case, func, literal, select, true

from app.core import leases
from app.core.queue import Queue, Task
from app.distillations.audit_twins import UNFINISHED as UNFINISHED_TWINS
from app.distillations.audit_twins import has_unfinished, is_audited
from app.distillations.trajectory_sets import UNFINISHED, waits_for
from app.models.audit_twin import AuditTwin
from app.models.dataset import Dataset, DatasetStatus
from app.models.distillation import Distillation, DistillationStatus, Priority
from app.models.forecast import WAITING as WAITING_FORECASTS
from app.models.forecast import Forecast
from app.models.teacher import Teacher
from app.models.text_scan import TextScan, TextScanStatus
from app.models.training import Training, TrainingStatus
from app.models.trajectory_set import TrajectorySet

EVERY_ROW = true()

_RANK = case(
    {priority.value: rank for rank, priority in enumerate(Priority)}, value=Distillation.priority
)
"""0 for the highest priority."""
_NORMAL = literal(list(Priority).index(Priority.NORMAL))


@dataclass(frozen=True)
class Duty:
    """Rows of `model` in one of `statuses` are what `task` is there for.

    Attributes:
        organisation: Id of the organisation that a row belongs to.
        rank: Priority of a row among those of its organisation; 0 goes first.
    """

    task: Task
    model: type[Any]
    statuses: tuple[StrEnum, ...]
    where: ColumnElement[bool] = EVERY_ROW
    organisation: SQLColumnExpression[str] = field(kw_only=True)
    rank: SQLColumnExpression[int] = field(default=_NORMAL, kw_only=True)

    @property
    def wanted(self) -> ColumnElement[bool]:
        return and_(self.model.status.in_(list(self.statuses)), self.where)

    def waits(self, now: datetime) -> ColumnElement[bool]:
        """Condition: a row is to be worked on, and nobody does."""
        return and_(self.wanted, leases.is_free(self.model, now))


def _of_distillation(task: Task, status: DistillationStatus, where: Any = EVERY_ROW) -> Duty:
    return Duty(
        task,
        Distillation,
        (status,),
        where,
        organisation=Distillation.organisation_id,
        rank=_RANK,
    )


_TEACHERS = Duty(
    Task.RECORD_TRAJECTORY,
    Teacher,
    UNFINISHED,
    waits_for(Teacher.trajectory_set_id),
    organisation=select(Dataset.organisation_id)
    .join(TrajectorySet, TrajectorySet.dataset_id == Dataset.id)
    .where(TrajectorySet.id == Teacher.trajectory_set_id)
    .scalar_subquery(),
    # Distillations share teachers: the most urgent of those that wait for them counts.
    rank=select(func.min(_RANK))
    .where(
        Distillation.trajectory_set_id == Teacher.trajectory_set_id,
        Distillation.status == DistillationStatus.TEACHING,
    )
    .scalar_subquery(),
)
_TWINS = Duty(
    Task.RUN_TWINS,
    AuditTwin,
    UNFINISHED_TWINS,
    is_audited(AuditTwin.distillation_id),
    organisation=select(Distillation.organisation_id)
    .where(Distillation.id == AuditTwin.distillation_id)
    .scalar_subquery(),
    rank=select(_RANK).where(Distillation.id == AuditTwin.distillation_id).scalar_subquery(),
)
_SCANS = Duty(
    Task.SCAN_TEXT,
    TextScan,
    (TextScanStatus.WAITING,),
    organisation=select(Dataset.organisation_id)
    .where(Dataset.id == TextScan.dataset_id)
    .scalar_subquery(),
)


def _of_training(task: Task, *statuses: TrainingStatus) -> Duty:
    return Duty(task, Training, statuses, organisation=Training.organisation_id)


# `teaching` has no task of its own: its teachers have, and the last of them sends it on.
DUTIES = (
    _of_distillation(Task.PACKAGE, DistillationStatus.PACKAGING),
    _of_distillation(Task.AUDIT, DistillationStatus.AUDITING, ~has_unfinished(Distillation.id)),
    _TWINS,
    _of_distillation(Task.EVALUATE, DistillationStatus.EVALUATING),
    _of_distillation(Task.DISTILL, DistillationStatus.DISTILLING),
    _of_training(Task.TRAIN, TrainingStatus.QUEUED, TrainingStatus.RUNNING),
    _TEACHERS,
    _of_distillation(Task.START_DISTILLATION, DistillationStatus.QUEUED),
    _of_training(Task.PROPOSE_CLASS_MAPS, TrainingStatus.PROPOSING),
    Duty(
        Task.CHECK_DATASET,
        Dataset,
        (DatasetStatus.CHECKING,),
        organisation=Dataset.organisation_id,
    ),
    _SCANS,
    Duty(Task.FORECAST, Forecast, WAITING_FORECASTS, organisation=Forecast.organisation_id),
)


def duty_of(task: Task) -> Duty:
    return next(duty for duty in DUTIES if duty.task == task)


def duties_of(queue: Queue) -> tuple[Duty, ...]:
    return tuple(duty for duty in DUTIES if duty.task.queue == queue)

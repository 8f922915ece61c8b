"""One file per table."""

from app.models.base import Base
from app.models.dataset import Dataset, DatasetStatus
from app.models.distillation import ACTIVE, FINAL, PHASES, Distillation, DistillationStatus, Verdict
from app.models.event import Event, EventKind
from app.models.idempotency_key import IdempotencyKey
from app.models.organisation import Organisation
from app.models.teacher import Teacher, TeacherStatus
from app.models.token import Token
from app.models.trajectory_set import TrajectorySet, TrajectorySetStatus

__all__ = [
    "ACTIVE",
    "FINAL",
    "PHASES",
    "Base",
    "Dataset",
    "DatasetStatus",
    "Distillation",
    "DistillationStatus",
    "Event",
    "EventKind",
    "IdempotencyKey",
    "Organisation",
    "Teacher",
    "TeacherStatus",
    "Token",
    "TrajectorySet",
    "TrajectorySetStatus",
    "Verdict",
]

"""What the row of a job is for: its organisation, its dataset, the distillation that waits."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.audit_twin import AuditTwin
from app.models.dataset import Dataset
from app.models.distillation import Distillation
from app.models.teacher import Teacher
from app.models.trajectory_set import TrajectorySet


@dataclass(frozen=True)
class Origin:
    """Ids alone.

    Attributes:
        organisation_id: Whose job it is.
        dataset_id: What it works on.
        distillation_id: What waits for it; None where nothing does.
        attempt: How often that was started.
    """

    organisation_id: str
    dataset_id: str
    distillation_id: str | None = None
    attempt: int = 1

    @property
    def span(self) -> str | None:
        """What the span of the distillation is known as."""
        return None if self.distillation_id is None else f"{self.distillation_id} {self.attempt}"


def origin_of(session: Session, row: Any) -> Origin:
    """Find out what a row of any job is for."""
    if isinstance(row, Dataset):
        return Origin(row.organisation_id, row.id)
    distillation = _distillation_of(session, row)
    if distillation is not None:
        return Origin(
            distillation.organisation_id,
            distillation.dataset_id,
            distillation.id,
            distillation.attempt,
        )
    if isinstance(row, Teacher):
        dataset_id = session.get_one(TrajectorySet, row.trajectory_set_id).dataset_id
    else:
        dataset_id = row.dataset_id
    return Origin(session.get_one(Dataset, dataset_id).organisation_id, dataset_id)


def _distillation_of(session: Session, row: Any) -> Distillation | None:
    if isinstance(row, Distillation):
        return row
    if isinstance(row, AuditTwin):
        return session.get_one(Distillation, row.distillation_id)
    if isinstance(row, Teacher):
        # Several may share a teacher: the first one has waited longest.
        query = select(Distillation).where(
            Distillation.trajectory_set_id == row.trajectory_set_id,
            Distillation.deleted_at.is_(None),
        )
        return session.scalar(query.order_by(Distillation.created_at, Distillation.id).limit(1))
    return None

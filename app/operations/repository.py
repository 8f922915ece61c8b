"""Queries over every organisation, for the operator: numbers and ids."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core import leases
from app.models.audit_twin import AuditTwin
from app.models.dataset import Dataset
from app.models.distillation import Distillation
from app.models.release import Release
from app.models.teacher import Teacher
from app.models.training import Training
from app.operations.schemas import JobKind
from app.scheduling.duties import Duty

LEASED: dict[JobKind, type[Any]] = {
    JobKind.DATASET: Dataset,
    JobKind.DISTILLATION: Distillation,
    JobKind.TEACHER: Teacher,
    JobKind.REPETITION: AuditTwin,
    JobKind.TRAINING: Training,
}


@dataclass(frozen=True)
class Held:
    kind: JobKind
    id: str
    owner: str


@dataclass(frozen=True)
class Load:
    """Rows that a task is there for."""

    waiting: int
    held: int
    oldest: datetime | None


class OperationsRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def held(self, now: datetime) -> Iterator[Held]:
        """Rows that a worker works on."""
        for kind, model in LEASED.items():
            rows = self._session.execute(
                select(model.id, model.lease_owner).where(
                    model.lease_owner.is_not(None), leases.is_held(model, now)
                )
            )
            yield from (Held(kind, row.id, row.lease_owner) for row in rows)

    def load(self, duty: Duty, now: datetime) -> Load:
        model = duty.model
        waiting = self._session.execute(
            select(func.count(), func.min(model.updated_at)).where(duty.waits(now))
        ).one()
        held = self._session.scalar(
            select(func.count()).select_from(model).where(duty.wanted, leases.is_held(model, now))
        )
        return Load(waiting[0], held or 0, waiting[1])

    def stored_bytes(self, organisation_ids: Sequence[str] | None = None) -> dict[str, int]:
        """Bytes of the archives and releases of each organisation that has some."""
        found: dict[str, int] = {}
        for model, size, where in (
            (Dataset, Dataset.size, Dataset.purged_at.is_(None)),
            (Release, Release.bundle_size, Release.id.is_not(None)),
        ):
            owner: Any = model.organisation_id
            query = select(owner, func.coalesce(func.sum(size), 0)).where(where).group_by(owner)
            if organisation_ids is not None:
                query = query.where(owner.in_(list(organisation_ids)))
            for organisation_id, total in self._session.execute(query):
                found[organisation_id] = found.get(organisation_id, 0) + int(total)
        return found

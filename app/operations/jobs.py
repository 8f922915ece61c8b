"""The jobs of all organisations, as one table.

They are rows of four tables. One query over all of them finds a page's ids and their order; the
rows themselves are then read by id.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, String, literal, select, type_coerce, union_all
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.leases import is_held_until
from app.core.pagination import Page, paginate
from app.core.types import JsonObject
from app.models.base import Base
from app.models.dataset import Dataset, DatasetStatus
from app.models.distillation import ACTIVE, Distillation
from app.models.training import OPEN, Training, TrainingStatus
from app.models.withdrawal import Withdrawal, WithdrawalStatus
from app.operations.schemas import JobKind, JobRead
from app.organisations.repository import OrganisationRepository


def _rows(kind: JobKind, model: type[Any], active: Sequence[Any]) -> Select[Any]:
    return select(
        literal(kind.value, String).label("kind"),
        model.id.label("id"),
        model.organisation_id.label("organisation_id"),
        type_coerce(model.status, String).label("status"),
        model.status.in_(list(active)).label("active"),
        model.created_at.label("created_at"),
    )


_ALL = union_all(
    _rows(JobKind.DATASET, Dataset, (DatasetStatus.CHECKING,)).where(
        Dataset.status != DatasetStatus.AWAITING_UPLOAD, Dataset.deleted_at.is_(None)
    ),
    _rows(JobKind.DISTILLATION, Distillation, ACTIVE).where(Distillation.deleted_at.is_(None)),
    _rows(JobKind.TRAINING, Training, OPEN),
    _rows(JobKind.WITHDRAWAL, Withdrawal, (WithdrawalStatus.REMOVING,)),
).subquery("job")


class Job(Base):
    """A row of that table; read, never written."""

    __table__ = _ALL
    __mapper_args__ = {"primary_key": [_ALL.c.id]}  # noqa: RUF012 (SQLAlchemy's way to say it)

    if TYPE_CHECKING:
        kind: str
        id: str
        organisation_id: str
        status: str
        active: bool
        created_at: datetime


def page(
    session: Session,
    *,
    kind: JobKind | None,
    status: str | None,
    organisation_id: str | None,
    active: bool,
    cursor: str | None,
    limit: int,
) -> Page[Job]:
    """Newest first."""
    query = select(Job)
    if kind is not None:
        query = query.where(_ALL.c.kind == kind.value)
    if status is not None:
        query = query.where(_ALL.c.status == status)
    if organisation_id is not None:
        query = query.where(_ALL.c.organisation_id == organisation_id)
    if active:
        query = query.where(_ALL.c.active)
    return paginate(session, query, _ALL.c, cursor=cursor, limit=limit)


def get(session: Session, job_id: str) -> Job:
    """By id, for what was found by it."""
    return session.scalars(select(Job).where(_ALL.c.id == job_id)).one()


def read(session: Session, jobs: Sequence[Job]) -> list[JobRead]:
    """Present jobs with the columns of their own tables."""
    names = OrganisationRepository(session).names_of([job.organisation_id for job in jobs])
    rows: dict[str, Any] = {}
    for kind, (model, _) in _MORE.items():
        ids = [job.id for job in jobs if job.kind == kind]
        if ids:
            found = session.scalars(select(model).where(model.id.in_(ids)))
            rows |= {row.id: row for row in found}
    return [
        JobRead(
            kind=JobKind(job.kind),
            id=job.id,
            created_at=job.created_at,
            organisation_id=job.organisation_id,
            organisation=names[job.organisation_id],
            status=job.status,
            active=job.active,
            worker=worker_of(rows[job.id]),
            problem=_code(rows[job.id].problem),
            **_MORE[JobKind(job.kind)][1](rows[job.id]),
        )
        for job in jobs
    ]


def worker_of(row: Any) -> str | None:
    """The process that holds its lease now."""
    owner, until = getattr(row, "lease_owner", None), getattr(row, "lease_expires_at", None)
    if owner is None or not is_held_until(until, utc_now()):
        return None
    return process_of(owner)


def process_of(owner: str) -> str:
    """Host and process of a lease's owner, which ends in a random part."""
    return owner.rpartition(":")[0]


def _code(problem: JsonObject | None) -> str | None:
    """Its text may name a class, or a file of an archive."""
    return None if problem is None else str(problem.get("type", "")).rpartition(":")[2] or None


def _of_dataset(row: Dataset) -> JsonObject:
    checking = row.status == DatasetStatus.CHECKING
    columns = _shared_columns(row, phase="checking" if checking else None)
    if "total" not in (columns["progress"] or {}):
        columns["progress"] = None  # a part of the check whose end nobody can count to
    return columns


def _of_distillation(row: Distillation) -> JsonObject:
    phase = None if row.phase is None else row.phase.value
    return _shared_columns(row, phase=phase, started_at=row.started_at)


def _of_training(row: Training) -> JsonObject:
    phase = row.status.value if row.status in (*OPEN, TrainingStatus.RUNNING) else None
    return _shared_columns(row, phase=phase)


def _of_withdrawal(row: Withdrawal) -> JsonObject:
    removing = row.status == WithdrawalStatus.REMOVING
    return _shared_columns(row, phase="removing" if removing else None, started_at=row.created_at)


def _shared_columns(row: Any, **more: Any) -> JsonObject:
    """Columns that only some tables have; null in the others."""
    names = ("progress", "eta_seconds", "started_at", "finished_at", "cancel_requested_at")
    return {name: getattr(row, name, None) for name in names} | more


_MORE: dict[JobKind, tuple[type[Any], Callable[[Any], JsonObject]]] = {
    JobKind.DATASET: (Dataset, _of_dataset),
    JobKind.DISTILLATION: (Distillation, _of_distillation),
    JobKind.TRAINING: (Training, _of_training),
    JobKind.WITHDRAWAL: (Withdrawal, _of_withdrawal),
}

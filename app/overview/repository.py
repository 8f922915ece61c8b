"""Queries for the overview: the first few pending items of each kind, newest first.

They read single columns: a page that everybody opens first should not load whole rows.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row, Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from app.core.security import Caller
from app.core.types import JsonObject
from app.models.access import Acceptance, AccessRequest, Grant, RequestStatus
from app.models.dataset import Dataset, DatasetStatus
from app.models.distillation import ACTIVE, PHASES, Distillation, DistillationStatus
from app.models.organisation import Organisation
from app.models.release import Release
from app.models.training import UNFINISHED, Training, TrainingStatus
from app.models.withdrawal import Withdrawal, WithdrawalStatus
from app.overview.schemas import (
    DatasetWaiting,
    DistillationEnded,
    First,
    Job,
    RequestWaiting,
    TrainingWaiting,
    WithdrawalWaiting,
)

SHOWN = 5
"""Items of each kind; a page of their own lists more."""

T = TypeVar("T")


class ReadableOverview:
    """Items that concern the caller or the caller's organisation."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._organisation_id = caller.organisation_id
        self._user_id = caller.user_id or ""

    def decisions(self) -> First[RequestWaiting]:
        """Undecided requests for the organisation's releases."""
        query = _requests(asker=AccessRequest.organisation_id).where(
            AccessRequest.owner_id == self._organisation_id,
            AccessRequest.status == RequestStatus.REQUESTED,
        )
        return _first([_request(row) for row in self._rows(query, AccessRequest.updated_at)])

    def answers(self, since: datetime) -> First[RequestWaiting]:
        """The caller's own requests that were decided, as long as something follows or is new."""
        accepted = exists().where(
            Grant.request_id == AccessRequest.id, Acceptance.grant_id == Grant.id
        )
        query = _requests(asker=AccessRequest.owner_id).where(
            AccessRequest.organisation_id == self._organisation_id,
            AccessRequest.user_id == self._user_id,
            or_(
                AccessRequest.status == RequestStatus.RETURNED,
                and_(
                    AccessRequest.status == RequestStatus.GRANTED,
                    AccessRequest.decided_at > since,
                    ~accepted,
                ),
                and_(
                    AccessRequest.status == RequestStatus.DENIED, AccessRequest.decided_at > since
                ),
            ),
        )
        return _first([_request(row) for row in self._rows(query, AccessRequest.updated_at)])

    def uploads(self) -> First[DatasetWaiting]:
        """Datasets that need an archive, another one, or somebody who says how to read it."""
        rows = self._datasets(
            (
                DatasetStatus.AWAITING_UPLOAD,
                DatasetStatus.AWAITING_MAPPING,
                DatasetStatus.REJECTED,
            )
        )
        return _first([DatasetWaiting.model_validate(row) for row in rows])

    def confirmations(self) -> First[TrainingWaiting]:
        """Trainings whose class maps wait for confirmation."""
        query = select(Training.id, Dataset.name, Training.updated_at).where(
            Training.dataset_id == Dataset.id,
            Training.organisation_id == self._organisation_id,
            Training.status == TrainingStatus.PROPOSED,
        )
        rows = self._rows(query, Training.created_at)
        return _first(
            [
                TrainingWaiting(id=row.id, dataset=row.name, updated_at=row.updated_at)
                for row in rows
            ]
        )

    def reports(self, since: datetime) -> First[DistillationEnded]:
        """Distillations that are finished and not released."""
        released = exists().where(Release.distillation_id == Distillation.id)
        return self._ended(DistillationStatus.READY, since, ~released)

    def failures(self, since: datetime) -> First[DistillationEnded]:
        return self._ended(DistillationStatus.FAILED, since)

    def _ended(
        self, status: DistillationStatus, since: datetime, *more: Any
    ) -> First[DistillationEnded]:
        query = select(
            Distillation.id,
            Dataset.name,
            Distillation.verdict,
            Distillation.problem,
            Distillation.finished_at,
        ).where(
            Distillation.dataset_id == Dataset.id,
            Distillation.organisation_id == self._organisation_id,
            Distillation.deleted_at.is_(None),
            Distillation.status == status,
            Distillation.finished_at > since,
            *more,
        )
        return _first(
            [
                DistillationEnded(
                    id=row.id,
                    dataset=row.name,
                    verdict=row.verdict,
                    problem=(row.problem or {}).get("title"),
                    finished_at=row.finished_at,
                )
                for row in self._rows(query, Distillation.finished_at)
            ]
        )

    def withdrawals(self, since: datetime) -> First[WithdrawalWaiting]:
        """Running withdrawals, and those that failed since then."""
        query = select(Withdrawal.id, Dataset.name, Withdrawal.status, Withdrawal.created_at).where(
            Withdrawal.dataset_id == Dataset.id,
            Withdrawal.organisation_id == self._organisation_id,
            or_(
                Withdrawal.status == WithdrawalStatus.REMOVING,
                and_(Withdrawal.status == WithdrawalStatus.FAILED, Withdrawal.finished_at > since),
            ),
        )
        return _first(
            [
                WithdrawalWaiting(
                    id=row.id, dataset=row.name, status=row.status, created_at=row.created_at
                )
                for row in self._rows(query, Withdrawal.created_at)
            ]
        )

    def jobs(self) -> First[Job]:
        """Jobs of the organisation that wait or run."""
        datasets = [
            Job(
                kind="dataset",
                id=row.id,
                name=row.name,
                status=row.status.value,
                done=None,
                total=None,
                eta_seconds=None,
            )
            for row in self._datasets((DatasetStatus.CHECKING,))
        ]
        return _first([*self._distillations(), *self._trainings(), *datasets])

    def _distillations(self) -> list[Job]:
        query = select(
            Distillation.id,
            Dataset.name,
            Distillation.status,
            Distillation.phases,
            Distillation.eta_seconds,
        ).where(
            Distillation.dataset_id == Dataset.id,
            Distillation.organisation_id == self._organisation_id,
            Distillation.deleted_at.is_(None),
            Distillation.status.in_(ACTIVE),
        )
        return [
            _job(
                "distillation",
                row,
                row.phases.get(row.status.value) if row.status in PHASES else None,
            )
            for row in self._rows(query, Distillation.created_at)
        ]

    def _trainings(self) -> list[Job]:
        query = select(
            Training.id, Dataset.name, Training.status, Training.progress, Training.eta_seconds
        ).where(
            Training.dataset_id == Dataset.id,
            Training.organisation_id == self._organisation_id,
            Training.status.in_(UNFINISHED),
        )
        return [
            _job("training", row, row.progress) for row in self._rows(query, Training.created_at)
        ]

    def has_datasets(self) -> bool:
        query = select(
            exists().where(
                Dataset.organisation_id == self._organisation_id, Dataset.deleted_at.is_(None)
            )
        )
        return bool(self._session.scalar(query))

    def _datasets(self, statuses: Collection[DatasetStatus]) -> list[Row[Any]]:
        query = select(Dataset.id, Dataset.name, Dataset.status, Dataset.updated_at).where(
            Dataset.organisation_id == self._organisation_id,
            Dataset.deleted_at.is_(None),
            Dataset.status.in_(statuses),
        )
        return self._rows(query, Dataset.created_at)

    def _rows(self, query: Select[*tuple[Any, ...]], newest: Any) -> list[Row[Any]]:
        return list(self._session.execute(query.order_by(newest.desc()).limit(SHOWN + 1)))


class OverviewRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def readable_by(self, caller: Caller) -> ReadableOverview:
        return ReadableOverview(self._session, caller)


def _requests(asker: Any) -> Select[*tuple[Any, ...]]:
    return select(
        AccessRequest.id,
        AccessRequest.release_id,
        Release.title,
        Organisation.name,
        AccessRequest.status,
        AccessRequest.updated_at,
    ).where(AccessRequest.release_id == Release.id, Organisation.id == asker)


def _request(row: Row[Any]) -> RequestWaiting:
    return RequestWaiting(
        id=row.id,
        release_id=row.release_id,
        title=row.title,
        organisation=row.name,
        status=row.status,
        updated_at=row.updated_at,
    )


def _job(kind: str, row: Row[Any], progress: JsonObject | None) -> Job:
    return Job(
        kind=kind,
        id=row.id,
        name=row.name,
        status=row.status.value,
        done=None if progress is None else progress["done"],
        total=None if progress is None else progress["total"],
        eta_seconds=row.eta_seconds,
    )


def _first(rows: list[T]) -> First[T]:
    return First(rows[:SHOWN], more=len(rows) > SHOWN)

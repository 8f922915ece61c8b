"""Queries for datasets: the portal reads as a caller, a task by id."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, func, or_, select, update

from app.core import leases
from app.core.clock import utc_now
from app.core.errors import NotFound, problem_dict
from app.core.repository import Readable, Repository
from app.core.security import Caller
from app.core.types import JsonObject
from app.datasets.uploads.repository import UploadRepository
from app.models.audit_twin import AuditTwin
from app.models.dataset import Dataset, DatasetStatus
from app.models.distillation import PRIVATE_KEYS, Distillation, DistillationStatus
from app.models.teacher import Teacher
from app.models.training import UNFINISHED, Training
from app.models.trajectory_set import TrajectorySet
from app.models.webhook import WebhookEvent
from app.notifications.webhook_events import emit

ACCEPTS_UPLOAD = (
    DatasetStatus.AWAITING_UPLOAD,
    DatasetStatus.AWAITING_MAPPING,
    DatasetStatus.REJECTED,
)


CHECK_CANCELLED = "check-cancelled"


def check_cancelled() -> JsonObject:
    """What a dataset says whose check somebody cancelled."""
    return problem_dict(
        code=CHECK_CANCELLED,
        title="The check was cancelled",
        status=409,
        detail="Somebody of your organisation cancelled it. The archive is kept, and nothing was "
        "read from it. Have it checked again, upload another archive, or delete the dataset.",
    )


class DatasetNotFound(NotFound):
    code = "dataset-not-found"
    title = "No such dataset"


class ReadableDatasets(Readable[Dataset]):
    """The datasets that one caller may know of."""

    model = Dataset
    not_found = DatasetNotFound
    advice = (
        "Your organisation has no dataset with this id. It may have been deleted; "
        "GET /api/v1/datasets lists those that exist."
    )

    def names_of(self, dataset_ids: Sequence[str]) -> dict[str, str]:
        """The names of those of these that are there."""
        rows = self._session.scalars(self._query.where(Dataset.id.in_(set(dataset_ids))))
        return {row.id: row.name for row in rows}

    def line(self, dataset: Dataset) -> Sequence[Dataset]:
        """Every version of a dataset, the oldest first."""
        first = dataset.line_id
        query = self._query.where(or_(Dataset.id == first, Dataset.first_id == first))
        return self._session.scalars(query.order_by(Dataset.version)).all()

    def sample(self) -> Dataset | None:
        """The newest sample cohort that can be used, or soon can."""
        query = self._query.where(
            Dataset.sample_seed.is_not(None), Dataset.status != DatasetStatus.REJECTED
        )
        return self._session.scalars(query.order_by(Dataset.created_at.desc()).limit(1)).first()


class DatasetRepository(Repository[Dataset]):
    def readable_by(self, caller: Caller) -> ReadableDatasets:
        return ReadableDatasets(self._session, caller)

    def load(self, dataset_id: str) -> Dataset | None:
        """By id alone, for tasks: the caller who enqueued it was allowed to."""
        return self._session.get(Dataset, dataset_id, populate_existing=True)

    def is_sample(self, dataset_id: str) -> bool:
        """True if its images are synthetic, also once it is deleted."""
        query = select(Dataset.sample_seed).where(Dataset.id == dataset_id)
        return self._session.scalar(query) is not None

    def next_version(self, dataset: Dataset) -> int:
        """The number after the last one of its line, deleted ones included."""
        first = dataset.line_id
        newest = self._session.scalar(
            select(func.max(Dataset.version)).where(
                or_(Dataset.id == first, Dataset.first_id == first)
            )
        )
        return (newest or dataset.version) + 1

    def accept_archive(self, dataset_id: str, *, key: str, size: int, sha256: str) -> bool:
        """The archive is there: `awaiting_upload | rejected → checking`; False if not so."""
        statement = (
            update(Dataset)
            .where(
                Dataset.id == dataset_id,
                Dataset.status.in_(ACCEPTS_UPLOAD),
                Dataset.deleted_at.is_(None),
            )
            .values(
                status=DatasetStatus.CHECKING,
                archive_key=key,
                size=size,
                sha256=sha256,
                images_key=None,
                quality_key=None,
                read_key=None,
                layout=None,
                layout_signature=None,
                mapping=None,
                mapping_confirmed_by=None,
                decisions=None,
                split_by=None,
                open_holds=None,
                classes=None,
                problem=None,
                cancel_requested_at=None,
                lease_owner=None,
                lease_expires_at=None,
                fence=Dataset.fence + 1,
            )
            .returning(Dataset.id)
            .execution_options(synchronize_session=False)
        )
        if self._session.execute(statement).scalar_one_or_none() is None:
            return False
        UploadRepository(self._session).end_those_of(dataset_id)
        return True

    def claim(self, dataset_id: str, *, owner: str, seconds: float) -> int | None:
        """Take a dataset that is `checking`; its fence, or None when there is nothing to do."""
        return leases.claim(
            self._session,
            Dataset,
            dataset_id,
            statuses=(DatasetStatus.CHECKING,),
            owner=owner,
            seconds=seconds,
        )

    def mark_ready(
        self,
        dataset_id: str,
        *,
        fence: int,
        images_key: str,
        quality_key: str,
        classes: JsonObject,
        **more: Any,
    ) -> None:
        """`checking → ready`, with other columns where there are `more`. Raises LeaseLost."""
        leases.release(
            self._session,
            Dataset,
            dataset_id,
            fence=fence,
            status=DatasetStatus.READY,
            cancel_requested_at=None,
            images_key=images_key,
            quality_key=quality_key,
            classes=classes,
            problem=None,
            **more,
        )
        self._emit(dataset_id, WebhookEvent.DATASET_READY)

    def mark_rejected(
        self,
        dataset_id: str,
        *,
        fence: int,
        problem: JsonObject,
        quality_key: str | None = None,
        **more: Any,
    ) -> None:
        """`checking → rejected`. The archive stays until another one replaces it.

        Raises LeaseLost.
        """
        leases.release(
            self._session,
            Dataset,
            dataset_id,
            fence=fence,
            status=DatasetStatus.REJECTED,
            cancel_requested_at=None,
            quality_key=quality_key,
            problem=problem,
            **more,
        )
        self._emit(dataset_id, WebhookEvent.DATASET_REJECTED)

    def request_cancel(self, dataset_id: str) -> None:
        """Note in the row that its check shall end; its worker stops soon."""
        self._session.execute(
            update(Dataset)
            .where(Dataset.id == dataset_id, Dataset.status == DatasetStatus.CHECKING)
            .values(cancel_requested_at=utc_now())
            .execution_options(synchronize_session="fetch")
        )

    def cancel_requested(self, dataset_id: str) -> bool:
        query = select(Dataset.cancel_requested_at).where(Dataset.id == dataset_id)
        return self._session.scalar(query) is not None

    def cancel_idle(self, dataset_id: str) -> bool:
        """`checking → rejected`, where no worker checks it; False where one does."""
        statement = (
            update(Dataset)
            .where(
                Dataset.id == dataset_id,
                Dataset.status == DatasetStatus.CHECKING,
                leases.is_free(Dataset, leases.now_of(self._session)),
            )
            .values(
                status=DatasetStatus.REJECTED,
                problem=check_cancelled(),
                progress=None,
                cancel_requested_at=None,
                lease_owner=None,
                lease_expires_at=None,
                fence=Dataset.fence + 1,
            )
            .returning(Dataset.id)
            .execution_options(synchronize_session="fetch")
        )
        if self._session.execute(statement).scalar_one_or_none() is None:
            return False
        self._emit(dataset_id, WebhookEvent.DATASET_REJECTED)
        return True

    def mark_awaiting_mapping(
        self, dataset_id: str, *, fence: int, layout: JsonObject, signature: str
    ) -> None:
        """`checking → awaiting_mapping`. Raises LeaseLost."""
        leases.release(
            self._session,
            Dataset,
            dataset_id,
            fence=fence,
            status=DatasetStatus.AWAITING_MAPPING,
            cancel_requested_at=None,
            layout=layout,
            layout_signature=signature,
            progress=None,
            problem=None,
        )
        self._emit(dataset_id, WebhookEvent.DATASET_AWAITS_MAPPING)

    def keep_as_it_was(
        self, dataset_id: str, *, fence: int, decisions: JsonObject, problem: JsonObject
    ) -> None:
        """`checking → ready`, with the images and decisions from before. Raises LeaseLost."""
        leases.release(
            self._session,
            Dataset,
            dataset_id,
            fence=fence,
            status=DatasetStatus.READY,
            cancel_requested_at=None,
            decisions=decisions,
            problem=problem,
            progress=None,
        )

    def remembered_mapping(self, dataset: Dataset, signature: str) -> JsonObject | None:
        """Find the mapping that was confirmed last for an archive of the same make."""
        return self._session.scalars(
            select(Dataset.mapping)
            .where(
                Dataset.organisation_id == dataset.organisation_id,
                Dataset.layout_signature == signature,
                Dataset.mapping_confirmed_by.is_not(None),
                Dataset.status == DatasetStatus.READY,
                Dataset.id != dataset.id,
            )
            .order_by(Dataset.updated_at.desc())
            .limit(1)
        ).first()

    def _emit(self, dataset_id: str, event: WebhookEvent) -> None:
        owner = self._session.scalars(
            select(Dataset.organisation_id).where(Dataset.id == dataset_id)
        ).one()
        emit(self._session, owner, event, {"dataset": dataset_id})

    def distillations(
        self, dataset_id: str, statuses: Collection[DistillationStatus] = tuple(DistillationStatus)
    ) -> Sequence[Distillation]:
        return self._session.scalars(
            select(Distillation)
            .where(Distillation.dataset_id == dataset_id, Distillation.status.in_(statuses))
            .order_by(Distillation.created_at)
        ).all()

    def trainings_running(self, dataset_id: str) -> Sequence[str]:
        return self._session.scalars(
            select(Training.id).where(
                Training.dataset_id == dataset_id, Training.status.in_(UNFINISHED)
            )
        ).all()

    def with_read_archive(self) -> Sequence[str]:
        """Datasets whose archive is there although its pictures were read."""
        return self._session.scalars(
            select(Dataset.id).where(
                Dataset.status == DatasetStatus.READY,
                Dataset.archive_key.is_not(None),
                Dataset.read_key.is_not(None),
                Dataset.deleted_at.is_(None),
            )
        ).all()

    def to_purge(self) -> Sequence[str]:
        return self._session.scalars(
            select(Dataset.id).where(Dataset.deleted_at.is_not(None), Dataset.purged_at.is_(None))
        ).all()

    def mark_deleted(self, dataset: Dataset) -> None:
        dataset.deleted_at = utc_now()
        dataset.fence += 1
        self._session.flush()
        UploadRepository(self._session).end_those_of(dataset.id)

    def mark_purged(self, dataset_id: str) -> None:
        self._session.execute(
            update(Dataset)
            .where(Dataset.id == dataset_id)
            .values(
                purged_at=utc_now(),
                archive_key=None,
                images_key=None,
                quality_key=None,
                read_key=None,
                layout=None,
                mapping=None,
                decisions=None,
                problem=None,
            )
        )

    def versions_of(self, dataset: Dataset) -> Sequence[str]:
        """Ids of all versions of its line, deleted ones too."""
        return self._session.scalars(
            select(Dataset.id).where(
                or_(Dataset.id == dataset.line_id, Dataset.first_id == dataset.line_id)
            )
        ).all()

    def trajectory_sets(self, dataset_id: str) -> Sequence[str]:
        return self._session.scalars(
            select(TrajectorySet.id).where(TrajectorySet.dataset_id == dataset_id)
        ).all()

    def forget_derived(self, dataset_id: str, distillation_ids: Sequence[str]) -> None:
        """Forget the trajectories, and the private objects of these distillations.

        The results of a distillation that is ready stay.
        """
        self._session.execute(
            update(Distillation)
            .where(Distillation.id.in_(distillation_ids))
            .values(trajectory_set_id=None, private_seed=None, **dict.fromkeys(PRIVATE_KEYS))
        )
        self._session.execute(
            delete(AuditTwin).where(AuditTwin.distillation_id.in_(distillation_ids))
        )
        sets = select(TrajectorySet.id).where(TrajectorySet.dataset_id == dataset_id)
        self._session.execute(delete(Teacher).where(Teacher.trajectory_set_id.in_(sets)))
        self._session.execute(delete(TrajectorySet).where(TrajectorySet.dataset_id == dataset_id))

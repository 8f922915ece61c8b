"""Queries for organisations."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select

from app.core.errors import NotFound
from app.core.pagination import Page, paginate
from app.core.queue import Queue
from app.core.repository import Repository
from app.models.dataset import Dataset
from app.models.device_use import DeviceUse
from app.models.distillation import ACTIVE, Distillation
from app.models.organisation import Organisation
from app.models.release import Release
from app.models.training import UNFINISHED, Training
from app.models.upload import UNFINISHED as UNFINISHED_UPLOADS
from app.models.upload import Upload


class OrganisationNotFound(NotFound):
    code = "organisation-not-found"
    title = "No such organisation"


class OrganisationRepository(Repository[Organisation]):
    def get(self, organisation_id: str, *, lock: bool = False) -> Organisation:
        """One that takes part. Raises OrganisationNotFound."""
        query = select(Organisation).where(Organisation.id == organisation_id)
        if lock:
            # key_share: every entry of a log refers to its organisation. Without it, whoever holds
            # this row and wants the log would wait for who holds the log and wants to refer here.
            query = query.with_for_update(key_share=True)
        found = self._session.scalar(query.execution_options(populate_existing=lock))
        if found is None:
            raise OrganisationNotFound(
                "No organisation has this id; GET /api/v1/organisations lists them."
            )
        return found

    def load(self, organisation_id: str) -> Organisation:
        """By id alone, for what was found by one that is known to exist."""
        return self._session.scalars(
            select(Organisation).where(Organisation.id == organisation_id)
        ).one()

    def page(self, *, cursor: str | None, limit: int) -> Page[Organisation]:
        return paginate(
            self._session, select(Organisation), Organisation, cursor=cursor, limit=limit
        )

    def find_by_name(self, name: str) -> Organisation | None:
        return self._session.scalar(select(Organisation).where(Organisation.name == name))

    def ids(self) -> Sequence[str]:
        return self._session.scalars(select(Organisation.id).order_by(Organisation.id)).all()

    def names(self) -> Sequence[str]:
        return self._session.scalars(select(Organisation.name).order_by(Organisation.name)).all()

    def others(self, organisation_id: str) -> Sequence[tuple[str, str]]:
        """(id, name) of everybody else who takes part, by name."""
        rows = self._session.execute(
            select(Organisation.id, Organisation.name)
            .where(Organisation.id != organisation_id, Organisation.disabled_at.is_(None))
            .order_by(Organisation.name)
        )
        return rows.all()

    def names_of(self, ids: Sequence[str]) -> dict[str, str]:
        rows = self._session.execute(
            select(Organisation.id, Organisation.name).where(Organisation.id.in_(set(ids)))
        )
        return {row.id: row.name for row in rows}

    def stored_bytes(self, organisation_id: str, *, besides: str | None = None) -> int:
        """Bytes of the archives, unfinished uploads (but for one) and releases it stores here."""
        archives = select(func.coalesce(func.sum(Dataset.size), 0)).where(
            Dataset.organisation_id == organisation_id, Dataset.purged_at.is_(None)
        )
        bundles = select(func.coalesce(func.sum(Release.bundle_size), 0)).where(
            Release.organisation_id == organisation_id
        )
        uploads = select(func.coalesce(func.sum(Upload.received), 0)).where(
            Upload.organisation_id == organisation_id,
            Upload.status.in_(UNFINISHED_UPLOADS),
            Upload.id != (besides or ""),
        )
        parts = (archives, bundles, uploads)
        return sum(int(self._session.scalar(query) or 0) for query in parts)

    def count_datasets(self, organisation_id: str) -> int:
        query = select(func.count()).where(
            Dataset.organisation_id == organisation_id, Dataset.deleted_at.is_(None)
        )
        return self._session.scalar(query) or 0

    def device_seconds(self, organisation_id: str, queue: Queue, since: datetime) -> float:
        """Seconds that workers of a queue computed for it."""
        query = select(func.coalesce(func.sum(DeviceUse.seconds), 0.0)).where(
            DeviceUse.organisation_id == organisation_id,
            DeviceUse.queue == queue.value,
            DeviceUse.ended_at >= since,
        )
        return float(self._session.scalar(query) or 0.0)

    def count_running(self, organisation_id: str) -> int:
        """Distillations and trainings that wait or run."""
        distillations = select(func.count()).where(
            Distillation.organisation_id == organisation_id,
            Distillation.status.in_(ACTIVE),
            Distillation.deleted_at.is_(None),
        )
        trainings = select(func.count()).where(
            Training.organisation_id == organisation_id,
            Training.status.in_(UNFINISHED),
        )
        return (self._session.scalar(distillations) or 0) + (self._session.scalar(trainings) or 0)

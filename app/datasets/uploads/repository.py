"""Queries for uploads: the portal reads as a caller, the sweeper by id."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.core import leases
from app.core.clock import utc_now
from app.core.errors import NotFound
from app.core.pagination import Page, paginate
from app.core.repository import Repository
from app.core.security import Caller
from app.models.upload import UNFINISHED, Upload, UploadStatus


class UploadNotFound(NotFound):
    code = "upload-not-found"
    title = "No such upload"


class ReadableUploads:
    """The uploads that one caller may know of."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._query = select(Upload).where(Upload.organisation_id == caller.organisation_id)

    def get(self, upload_id: str) -> Upload:
        """Raises UploadNotFound."""
        upload = self._session.scalar(self._query.where(Upload.id == upload_id))
        if upload is None:
            raise UploadNotFound(
                "Your organisation has no upload with this id. GET /api/v1/uploads lists those "
                "that can be continued; POST /api/v1/uploads begins another."
            )
        return upload

    def unfinished(self, *, cursor: str | None, limit: int) -> Page[Upload]:
        """Those that somebody can go on with."""
        query = self._query.where(
            Upload.status.in_(UNFINISHED),
            Upload.expires_at > utc_now(),
            Upload.in_one_request.is_(False),
        )
        return paginate(self._session, query, Upload, cursor=cursor, limit=limit)

    def count_unfinished(self) -> int:
        query = self._query.where(Upload.status.in_(UNFINISHED), Upload.expires_at > utc_now())
        return self._session.scalar(query.with_only_columns(func.count())) or 0


class UploadRepository(Repository[Upload]):
    def readable_by(self, caller: Caller) -> ReadableUploads:
        return ReadableUploads(self._session, caller)

    def load(self, upload_id: str) -> Upload | None:
        """By id alone, for the sweeper and the holder of its lease."""
        return self._session.get(Upload, upload_id, populate_existing=True)

    def claim(self, upload_id: str, *, owner: str, seconds: float) -> int | None:
        """Claim an unfinished one; its fence, or None while another writer holds it."""
        return leases.claim(
            self._session, Upload, upload_id, statuses=UNFINISHED, owner=owner, seconds=seconds
        )

    def expire_lease(self, upload_id: str, owner: str) -> None:
        """Open it to others: its owner is known to be dead."""
        self._session.execute(
            update(Upload)
            .where(Upload.id == upload_id, Upload.lease_owner == owner)
            .values(lease_expires_at=None)
            .execution_options(synchronize_session=False)
        )

    def write(self, upload_id: str, *, fence: int, **values: Any) -> None:
        """Raises LeaseLost."""
        leases.write(self._session, Upload, upload_id, fence=fence, **values)

    def release(self, upload_id: str, *, fence: int, **values: Any) -> None:
        """Raises LeaseLost."""
        leases.release(self._session, Upload, upload_id, fence=fence, **values)

    def end(self, upload_id: str, status: UploadStatus, *, forget_at: datetime) -> bool:
        """End it, so that its writer loses the lease; False if it had ended before."""
        ended = self._session.execute(
            update(Upload)
            .where(Upload.id == upload_id, Upload.status.in_(UNFINISHED))
            .values(status=status, expires_at=forget_at, sent_metadata="", **_without_lease())
            .returning(Upload.id)
            .execution_options(synchronize_session=False)
        )
        return ended.scalar_one_or_none() is not None

    def end_those_of(self, dataset_id: str) -> None:
        """The dataset takes no archive any more."""
        self._session.execute(
            update(Upload)
            .where(Upload.dataset_id == dataset_id, Upload.status.in_(UNFINISHED))
            .values(status=UploadStatus.ENDED, sent_metadata="", **_without_lease())
            .execution_options(synchronize_session=False)
        )

    def mark_purged(self, upload_id: str) -> None:
        self._session.execute(
            update(Upload).where(Upload.id == upload_id).values(purged_at=utc_now())
        )

    def complete(self) -> Sequence[str]:
        """Complete uploads whose archive no process is placing."""
        return leases.idle(
            self._session, Upload, (UploadStatus.FINISHING,), Upload.expires_at > utc_now()
        )

    def abandoned_requests(self) -> Sequence[Upload]:
        """Those in one request that nobody receives any more."""
        ids = leases.idle(
            self._session, Upload, (UploadStatus.RECEIVING,), Upload.in_one_request.is_(True)
        )
        return self._session.scalars(select(Upload).where(Upload.id.in_(ids))).all()

    def expired(self) -> Sequence[Upload]:
        return self._session.scalars(
            select(Upload).where(Upload.status.in_(UNFINISHED), Upload.expires_at <= utc_now())
        ).all()

    def to_purge(self) -> Sequence[Upload]:
        return self._session.scalars(
            select(Upload).where(Upload.status.not_in(UNFINISHED), Upload.purged_at.is_(None))
        ).all()

    def forget(self) -> None:
        """Remove the rows of those that were over long ago."""
        self._session.execute(
            delete(Upload).where(Upload.purged_at.is_not(None), Upload.expires_at <= utc_now())
        )


def _without_lease() -> dict[str, Any]:
    return {"lease_owner": None, "lease_expires_at": None, "fence": Upload.fence + 1}

"""Queries for shares."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, or_, select, update

from app.core.repository import Readable, Repository
from app.core.security import Caller
from app.models.connection import Connection
from app.models.release import Release, ReleaseStatus
from app.models.share import UNFINISHED, Share, ShareStatus


class ReadableShares(Readable[Share]):
    """The shares of the caller's organisation."""

    model = Share

    def of_release(self, release_id: str) -> Sequence[tuple[Share, Connection]]:
        rows = self._session.execute(
            select(Share, Connection)
            .join(Connection, Connection.id == Share.connection_id)
            .where(*self._mine(self._caller), Share.release_id == release_id)
            .order_by(Share.created_at, Share.id)
        ).all()
        return [(row[0], row[1]) for row in rows]

    def find(self, release_id: str, connection_id: str) -> Share | None:
        return self._session.scalar(
            self._query.where(
                Share.release_id == release_id, Share.connection_id == connection_id
            ).with_for_update()
        )


class ShareRepository(Repository[Share]):
    def readable_by(self, caller: Caller) -> ReadableShares:
        return ReadableShares(self._session, caller)

    def load(self, share_id: str, *, lock: bool = False) -> Share | None:
        return self._session.get(Share, share_id, with_for_update=lock, populate_existing=True)

    def take(self, connection_id: str, now: datetime, until: datetime) -> Share | None:
        """The next that is due over a connection; nobody else takes it before `until`."""
        row = self._session.scalar(
            select(Share)
            .where(
                Share.connection_id == connection_id,
                Share.status.in_(UNFINISHED),
                Share.due_at <= now,
            )
            .order_by(Share.created_at, Share.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if row is not None:
            row.due_at = until
            self._session.flush()
        return row

    def note_withdrawn(self, now: datetime) -> None:
        """Have hubs told of releases that were withdrawn here."""
        withdrawn = select(Release.id).where(Release.status == ReleaseStatus.WITHDRAWN)
        self._session.execute(
            update(Share)
            .where(
                or_(
                    Share.status.in_((ShareStatus.WAITING, ShareStatus.SHARED)),
                    # Shown once, and refused when it was sent again.
                    and_(Share.status == ShareStatus.REFUSED, Share.shared_at.is_not(None)),
                ),
                Share.release_id.in_(withdrawn),
            )
            .values(status=ShareStatus.WITHDRAWING, due_at=now, tries=0, problem=None)
        )

"""Queries for connections."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select

from app.core.errors import NotFound
from app.core.repository import Readable, Repository
from app.core.security import Caller
from app.models.connection import Connection
from app.models.share import UNFINISHED, Share


class ConnectionNotFound(NotFound):
    code = "connection-not-found"
    title = "No such connection"


class ReadableConnections(Readable[Connection]):
    """The hubs of the caller's organisation."""

    model = Connection
    not_found = ConnectionNotFound
    advice = "Your organisation has no such connection; GET /api/v1/connections lists them."

    def all(self) -> Sequence[Connection]:
        return self._session.scalars(
            self._query.order_by(Connection.created_at, Connection.id)
        ).all()

    def find_url(self, url: str) -> Connection | None:
        return self._session.scalar(self._query.where(Connection.url == url).with_for_update())


class ConnectionRepository(Repository[Connection]):
    def readable_by(self, caller: Caller) -> ReadableConnections:
        return ReadableConnections(self._session, caller)

    def load(self, connection_id: str, *, lock: bool = False) -> Connection | None:
        return self._session.get(
            Connection, connection_id, with_for_update=lock, populate_existing=True
        )

    def with_due_shares(self, now: datetime) -> Sequence[str]:
        """Connections in use that something is to be sent over."""
        return self._session.scalars(
            select(Connection.id)
            .where(
                Connection.confirmed_at.is_not(None),
                Connection.paused_at.is_(None),
                select(Share.id)
                .where(
                    Share.connection_id == Connection.id,
                    Share.status.in_(UNFINISHED),
                    Share.due_at <= now,
                )
                .exists(),
            )
            .order_by(Connection.id)
        ).all()

    def delete(self, connection_id: str) -> None:
        self._session.execute(delete(Share).where(Share.connection_id == connection_id))
        self._session.execute(delete(Connection).where(Connection.id == connection_id))

"""Queries for sessions."""

from datetime import datetime

from sqlalchemy import delete, or_, select, update

from app.core.repository import Repository
from app.models.organisation import Organisation
from app.models.user import User
from app.models.web_session import WebSession


class WebSessionRepository(Repository[WebSession]):
    def find_by_hash(self, secret_hash: str) -> tuple[WebSession, User, Organisation] | None:
        """The session, whose it is, and of which organisation."""
        row = self._session.execute(
            select(WebSession, User, Organisation)
            .join(User, User.id == WebSession.user_id)
            .join(Organisation, Organisation.id == User.organisation_id)
            .where(WebSession.secret_hash == secret_hash)
        ).one_or_none()
        return None if row is None else (row[0], row[1], row[2])

    def note_seen(self, session_id: str, now: datetime) -> None:
        self._session.execute(
            update(WebSession).where(WebSession.id == session_id).values(last_seen_at=now)
        )

    def delete(self, secret_hash: str) -> None:
        self._session.execute(delete(WebSession).where(WebSession.secret_hash == secret_hash))

    def delete_ended(self, now: datetime, unseen_since: datetime) -> None:
        self._session.execute(
            delete(WebSession).where(
                or_(WebSession.expires_at < now, WebSession.last_seen_at < unseen_since)
            )
        )

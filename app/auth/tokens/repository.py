"""Queries for tokens."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.errors import NotFound
from app.core.pagination import Page, paginate
from app.core.repository import Repository
from app.core.security import Caller, Permission
from app.models.organisation import Organisation
from app.models.token import Token
from app.models.user import User


class TokenNotFound(NotFound):
    code = "token-not-found"
    title = "No such token"


class ReadableTokens:
    """The caller's own tokens; for admins, all of the organisation."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._user_id = caller.user_id or ""
        self._mine = [Token.organisation_id == caller.organisation_id]
        if not caller.may(Permission.MANAGE):
            # `== None` would be IS NULL, which are the organisation's own.
            self._mine.append(Token.user_id == self._user_id)

    def page(self, *, cursor: str | None, limit: int) -> Page[Token]:
        query = select(Token).where(*self._mine)
        return paginate(self._session, query, Token, cursor=cursor, limit=limit)

    def own_page(self, *, cursor: str | None, limit: int) -> Page[Token]:
        """The caller's own alone, whatever else they manage."""
        query = select(Token).where(*self._mine, Token.user_id == self._user_id)
        return paginate(self._session, query, Token, cursor=cursor, limit=limit)

    def delete(self, token_id: str) -> None:
        """Raises TokenNotFound."""
        deleted = self._session.scalar(
            delete(Token).where(Token.id == token_id, *self._mine).returning(Token.id)
        )
        if deleted is None:
            raise TokenNotFound(
                "There is no token with this id that you may delete; GET /api/v1/tokens lists them."
            )


class TokenRepository(Repository[Token]):
    def readable_by(self, caller: Caller) -> ReadableTokens:
        return ReadableTokens(self._session, caller)

    def find_by_hash(self, secret_hash: str) -> tuple[Token, User | None, Organisation] | None:
        """The token, whose it is, and of which organisation."""
        row = self._session.execute(
            select(Token, User, Organisation)
            .join(Organisation, Organisation.id == Token.organisation_id)
            .outerjoin(User, User.id == Token.user_id)
            .where(Token.secret_hash == secret_hash)
        ).one_or_none()
        return None if row is None else (row[0], row[1], row[2])

    def expiry_of(self, token_id: str) -> datetime | None:
        return self._session.scalar(select(Token.expires_at).where(Token.id == token_id))

    def note_use(self, token_id: str, *, unless_since: datetime) -> None:
        self._session.execute(
            update(Token)
            .where(
                Token.id == token_id,
                (Token.last_used_at.is_(None)) | (Token.last_used_at < unless_since),
            )
            .values(last_used_at=utc_now())
        )

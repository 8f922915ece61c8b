"""Queries for tokens."""

from datetime import datetime

from sqlalchemy import Select, delete, select, update
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
    """The caller's own tokens; for admins, all of the organisation.

    For a token with scopes, unless they say that it manages: itself, and what was made with it.
    """

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._user_id = caller.user_id or ""
        self._mine = [Token.organisation_id == caller.organisation_id]
        if not caller.may(Permission.MANAGE):
            # `== None` would be IS NULL, which are the organisation's own.
            self._mine.append(Token.user_id == self._user_id)
            if caller.token_id is not None and caller.is_narrowed:
                self._mine.append(Token.id.in_(_family_of(caller.token_id)))

    def page(self, *, cursor: str | None, limit: int) -> Page[Token]:
        query = select(Token).where(*self._mine)
        return paginate(self._session, query, Token, cursor=cursor, limit=limit)

    def own_page(self, *, cursor: str | None, limit: int) -> Page[Token]:
        """The caller's own alone, whatever else they manage."""
        query = select(Token).where(*self._mine, Token.user_id == self._user_id)
        return paginate(self._session, query, Token, cursor=cursor, limit=limit)

    def delete(self, token_id: str) -> list[str]:
        """Delete it and what was made with it; their ids, its own first. Raises TokenNotFound."""
        family = list(self._session.scalars(_family_of(token_id)))
        deleted = self._session.scalar(
            delete(Token).where(Token.id == token_id, *self._mine).returning(Token.id)
        )
        if deleted is None:
            raise TokenNotFound(
                "There is no token with this id that you may delete; GET /api/v1/tokens lists them."
            )
        return [deleted, *(member for member in family if member != deleted)]


def _family_of(token_id: str) -> Select[tuple[str]]:
    """Ids of a token, of those made with it, of those made with these, and so on."""
    family = select(Token.id).where(Token.id == token_id).cte("family", recursive=True)
    made_with = select(Token.id).join(family, Token.made_with_id == family.c.id)
    return select(family.union(made_with).c.id)


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

    def lock(self, token_id: str) -> Token | None:
        """It cannot be deleted before this transaction ends; None where it is already."""
        # key_share: its last use may still be noted meanwhile.
        return self._session.scalar(
            select(Token).where(Token.id == token_id).with_for_update(read=True, key_share=True)
        )

    def note_use(self, token_id: str, *, unless_since: datetime) -> None:
        self._session.execute(
            update(Token)
            .where(
                Token.id == token_id,
                (Token.last_used_at.is_(None)) | (Token.last_used_at < unless_since),
            )
            .values(last_used_at=utc_now())
        )

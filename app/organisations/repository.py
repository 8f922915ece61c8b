"""Every query about organisations and their tokens."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.errors import NotFound
from app.core.pagination import Page, paginate
from app.core.security import Caller
from app.models.organisation import Organisation
from app.models.token import Token


class TokenNotFound(NotFound):
    code = "token-not-found"
    title = "No such token"


class OrganisationRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def find_by_name(self, name: str) -> Organisation | None:
        return self._session.scalar(select(Organisation).where(Organisation.name == name))

    def names(self) -> Sequence[str]:
        return self._session.scalars(select(Organisation.name).order_by(Organisation.name)).all()

    def add(self, organisation: Organisation) -> Organisation:
        self._session.add(organisation)
        self._session.flush()
        return organisation


class ReadableTokens:
    """The tokens of the caller's organisation."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._organisation_id = caller.organisation_id

    def page(self, *, cursor: str | None, limit: int) -> Page[Token]:
        query = select(Token).where(Token.organisation_id == self._organisation_id)
        return paginate(self._session, query, Token, cursor=cursor, limit=limit)

    def delete(self, token_id: str) -> None:
        """Raises TokenNotFound."""
        deleted = self._session.scalar(
            delete(Token)
            .where(Token.id == token_id, Token.organisation_id == self._organisation_id)
            .returning(Token.id)
        )
        if deleted is None:
            raise TokenNotFound(
                "Your organisation has no token with this id; GET /api/v1/tokens lists them."
            )


class TokenRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def readable_by(self, caller: Caller) -> ReadableTokens:
        return ReadableTokens(self._session, caller)

    def find_by_hash(self, secret_hash: str) -> Token | None:
        return self._session.scalar(select(Token).where(Token.secret_hash == secret_hash))

    def add(self, token: Token) -> Token:
        self._session.add(token)
        self._session.flush()
        return token

    def note_use(self, token_id: str, *, unless_since: datetime) -> None:
        self._session.execute(
            update(Token)
            .where(
                Token.id == token_id,
                (Token.last_used_at.is_(None)) | (Token.last_used_at < unless_since),
            )
            .values(last_used_at=utc_now())
        )

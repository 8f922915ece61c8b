"""Queries for people."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Select, and_, delete, func, select, update
from sqlalchemy.orm import Session, undefer

from app.core.errors import NotFound
from app.core.repository import Readable, Repository
from app.core.security import Caller, Role
from app.models.organisation import Organisation
from app.models.sign_in_failures import SignInFailures
from app.models.token import Token
from app.models.user import User
from app.models.web_session import WebSession


class UserNotFound(NotFound):
    code = "user-not-found"
    title = "No such person"


def _locked(query: Select[Any]) -> Select[Any]:
    # key_share: rows that refer to the person may still be written meanwhile. Otherwise a holder of
    # the organisation's log could wait here for a transaction that waits for that log.
    return query.with_for_update(key_share=True)


class ReadableUsers(Readable[User]):
    """The people of the caller's organisation."""

    model = User
    not_found = UserNotFound
    advice = "Your organisation has nobody with this id; GET /api/v1/users lists its people."

    def __init__(self, session: Session, caller: Caller) -> None:
        super().__init__(session, caller)
        self._query = self._query.options(undefer(User.has_second_factor))

    def _locked(self, query: Select[Any]) -> Select[Any]:
        return _locked(query)


class UserRepository(Repository[User]):
    def readable_by(self, caller: Caller) -> ReadableUsers:
        return ReadableUsers(self._session, caller)

    def load(self, user_id: str, *, lock: bool = False) -> User:
        """By id alone, for what was found by one that is known to exist."""
        query = select(User).where(User.id == user_id).execution_options(populate_existing=True)
        user: User = self._session.scalars(_locked(query) if lock else query).one()
        return user

    def is_anybody_there(self) -> bool:
        return self._session.scalar(select(User.id).limit(1)) is not None

    def names_of(self, ids: Collection[str]) -> dict[str, str]:
        rows = self._session.execute(select(User.id, User.name).where(User.id.in_(set(ids))))
        return {row.id: row.name for row in rows}

    def find_by_email(self, email: str) -> User | None:
        return self._session.scalar(select(User).where(User.email == email.strip().lower()))

    def find_by_subject(self, issuer: str, subject: str) -> User | None:
        return self._session.scalar(
            select(User).where(User.oidc_issuer == issuer, User.oidc_subject == subject)
        )

    def organisation_of(self, user: User, *, lock: bool = False) -> Organisation:
        query = select(Organisation).where(Organisation.id == user.organisation_id)
        organisation: Organisation = self._session.scalars(_locked(query) if lock else query).one()
        return organisation

    def delete_sessions(self, user_id: str, *, but: str | None = None) -> None:
        """End all sessions of a person, or all but the one with this hash."""
        query = delete(WebSession).where(WebSession.user_id == user_id)
        if but is not None:
            query = query.where(WebSession.secret_hash != but)
        self._session.execute(query)

    def forget_failures(self, user_id: str) -> None:
        """Wrong passwords before this one count no more."""
        self._session.execute(delete(SignInFailures).where(SignInFailures.user_id == user_id))

    def delete_tokens(self, user_id: str, *, but: str | None = None) -> int:
        """All of a person, or all but one, and what was made with them; how many of theirs."""
        theirs = Token.user_id == user_id
        if but is not None:
            # What made it goes, and it shall stay.
            self._session.execute(
                update(Token).where(theirs, Token.id == but).values(made_with_id=None)
            )
            theirs = and_(theirs, Token.id != but)
        gone = self._session.scalars(select(Token.id).where(theirs)).all()
        self._session.execute(delete(Token).where(theirs))
        return len(gone)

    def enabled(self, organisation_id: str) -> Sequence[User]:
        return self._session.scalars(
            select(User)
            .where(User.organisation_id == organisation_id, User.disabled_at.is_(None))
            .order_by(User.created_at, User.id)
        ).all()

    def other_admins(self, user: User) -> int:
        """Count the organisation's admins besides this person."""
        return sum(
            Role.ADMIN in other.roles
            for other in self.enabled(user.organisation_id)
            if other.id != user.id
        )

    def count(self, organisation_id: str) -> int:
        query = select(func.count()).where(User.organisation_id == organisation_id)
        return self._session.scalar(query) or 0

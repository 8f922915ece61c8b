"""Tokens: create, authenticate, delete."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.audit.log import Action, record, record_by_portal
from app.auth.tokens.repository import TokenRepository
from app.auth.tokens.schemas import TokenCreate
from app.core.clock import utc_now
from app.core.db import Database
from app.core.errors import Forbidden, Unauthenticated
from app.core.security import (
    Caller,
    Permission,
    Role,
    hash_secret,
    new_secret,
    permissions_of,
)
from app.models.token import Token
from app.models.user import User

logger = logging.getLogger(__name__)

NOTE_USE_EVERY = timedelta(minutes=5)
"""Precision of `last_used_at`, so that reading does not mean writing."""


class ScopeTooWide(Forbidden):
    code = "scope-too-wide"
    title = "You may not do that yourself"


class OutlivesMaker(Forbidden):
    code = "token-outlives-maker"
    title = "A token cannot outlive the token that creates it"


def authenticate(database: Database, secret: str) -> Caller:
    """The caller behind a bearer token. Raises Unauthenticated."""
    with database.reading() as session:
        found = TokenRepository(session).find_by_hash(hash_secret(secret))
    if found is None:
        raise _invalid_token("This token is not known; it may have been deleted.")
    token, user, organisation = found
    now = utc_now()
    if token.expires_at is not None and token.expires_at <= now:
        raise _invalid_token(f"This token expired at {token.expires_at:%Y-%m-%dT%H:%M:%SZ}.")
    if organisation.disabled_at is not None or (user is not None and user.disabled_at is not None):
        raise _invalid_token("The account of this token was disabled.")
    if token.last_used_at is None or token.last_used_at < now - NOTE_USE_EVERY:
        _note_use(database, token.id, now)
    return _caller(token, user)


def _note_use(database: Database, token_id: str, now: datetime) -> None:
    try:
        with database.transaction() as session:
            TokenRepository(session).note_use(token_id, unless_since=now - NOTE_USE_EVERY)
    except OperationalError as error:
        # The disc is full, or another writer takes long: no reason to refuse a read.
        logger.warning("the use of %s was not noted: %s", token_id, type(error.orig).__name__)


def _caller(token: Token, user: User | None) -> Caller:
    if user is not None:
        roles = user.roles
        name = user.name
    else:
        assert token.role is not None, "a token is somebody's, or has a role"
        roles = (token.role,)
        name = token.name or f"token {token.id}"
    return Caller(
        organisation_id=token.organisation_id,
        permissions=permissions_of(roles, token.scopes),
        roles=roles,
        name=name,
        user_id=token.user_id,
        token_id=token.id,
    )


def _invalid_token(reason: str) -> Unauthenticated:
    return Unauthenticated(
        f"{reason} Ask an admin of your organisation, or the operator of this portal, for another.",
        headers={"WWW-Authenticate": 'Bearer realm="iadd-exchange", error="invalid_token"'},
    )


def create(session: Session, caller: Caller, body: TokenCreate) -> tuple[Token, str]:
    """A new token and its secret, which is stored nowhere. Raises ScopeTooWide, OutlivesMaker."""
    if body.role is not None and not caller.may(Permission.MANAGE):
        raise ScopeTooWide(
            "Tokens of the organisation are made by its admins. Nothing was changed. Leave `role` "
            "out for a token of your own."
        )
    if body.role is None and caller.user_id is None:
        raise ScopeTooWide(
            "Your token belongs to no person, so a personal token would have no owner. "
            "Nothing was changed. Name a `role` for a token of the organisation."
        )
    wanted = permissions_of(
        caller.roles if body.role is None else (body.role,),
        None if body.scopes is None else body.scopes,
    )
    refused = [*sorted(wanted - caller.permissions), *sorted(set(body.scopes or ()) - wanted)]
    if refused:
        raise ScopeTooWide(
            f"A token cannot do more than its maker or its role: {', '.join(refused)}. Nothing was "
            "changed.",
            refused=refused,
        )
    made_with = _lock_maker(session, caller)
    expires_at = _within_makers(made_with, body.expires_at)
    token, secret = _make(
        session,
        caller.organisation_id,
        user_id=caller.user_id if body.role is None else None,
        name=body.name or "",
        role=body.role,
        scopes=body.scopes,
        expires_at=expires_at,
        made_with_id=caller.token_id,
    )
    record(
        session,
        caller,
        Action.TOKEN_CREATED,
        token.id,
        made_with=caller.token_id,
        role=body.role,
        scopes=token.scope_names,
        expires_at=None if token.expires_at is None else token.expires_at.isoformat(),
    )
    return token, secret


def _lock_maker(session: Session, caller: Caller) -> Token | None:
    """The token that asks; None for a session. Raises Unauthenticated.

    It may have been deleted since the request began: nothing is made with it any more.
    """
    if caller.token_id is None:
        return None
    maker = TokenRepository(session).lock(caller.token_id)
    if maker is None:
        raise _invalid_token("This token was deleted a moment ago; nothing was made with it.")
    return maker


def _within_makers(made_with: Token | None, expires_at: datetime | None) -> datetime | None:
    """The expiry of a token; by default that of the token that creates it."""
    last = None if made_with is None else made_with.expires_at
    if last is None or expires_at is None:
        return expires_at or last
    if expires_at > last:
        raise OutlivesMaker(
            f"The token that you ask with expires at {last:%Y-%m-%dT%H:%M:%SZ}, and what is made "
            "with it cannot last longer. Nothing was changed. Sign in to make one that does."
        )
    return expires_at


def create_by_operator(
    session: Session,
    organisation_id: str,
    role: Role | None,
    expires_at: datetime | None,
    *,
    user_id: str | None = None,
    name: str = "",
) -> tuple[Token, str]:
    """Create a token on the machine itself. The organisation's log records it."""
    token, secret = _make(
        session,
        organisation_id,
        user_id=user_id,
        name=name,
        role=role,
        scopes=None,
        expires_at=expires_at,
    )
    record_by_portal(
        session,
        organisation_id,
        Action.TOKEN_CREATED,
        token.id,
        by="the operator of the machine",
        role=role,
        expires_at=None if expires_at is None else expires_at.isoformat(),
    )
    return token, secret


def delete(session: Session, caller: Caller, token_id: str) -> None:
    """Delete it and what was made with it; they are refused at once. Raises TokenNotFound."""
    itself, *made_with_it = TokenRepository(session).readable_by(caller).delete(token_id)
    record(session, caller, Action.TOKEN_DELETED, itself)
    for child in made_with_it:
        record(session, caller, Action.TOKEN_DELETED, child, made_with=itself)


def _make(
    session: Session,
    organisation_id: str,
    *,
    user_id: str | None,
    name: str,
    role: Role | None,
    scopes: Sequence[Permission] | None,
    expires_at: datetime | None,
    made_with_id: str | None = None,
) -> tuple[Token, str]:
    secret = new_secret()
    token = Token(
        organisation_id=organisation_id,
        user_id=user_id,
        made_with_id=made_with_id,
        name=name,
        secret_hash=hash_secret(secret),
        role=role,
        scope_names=None if scopes is None else sorted({scope.value for scope in scopes}),
        expires_at=expires_at,
    )
    return TokenRepository(session).add(token), secret

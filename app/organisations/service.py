"""Organisations and their tokens."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.db import Database
from app.core.errors import Conflict, NotFound, Unauthenticated
from app.core.security import Caller, Role, hash_secret, new_secret
from app.models.organisation import Organisation
from app.models.token import Token
from app.organisations.repository import OrganisationRepository, TokenRepository

NOTE_USE_EVERY = timedelta(minutes=5)
"""`last_used_at` is no more exact than this, so that reading does not mean writing."""


class OrganisationExists(Conflict):
    code = "organisation-exists"
    title = "There is an organisation of this name"


class OrganisationNotFound(NotFound):
    code = "organisation-not-found"
    title = "No such organisation"


def authenticate(database: Database, secret: str) -> Caller:
    """The caller behind a bearer token. Raises Unauthenticated."""
    with database.reading() as session:
        token = TokenRepository(session).find_by_hash(hash_secret(secret))
    if token is None:
        raise _invalid_token("This token is not known; it may have been deleted.")
    now = utc_now()
    if token.expires_at is not None and token.expires_at <= now:
        raise _invalid_token(f"This token expired at {token.expires_at:%Y-%m-%dT%H:%M:%SZ}.")
    if token.last_used_at is None or token.last_used_at < now - NOTE_USE_EVERY:
        with database.transaction() as session:
            TokenRepository(session).note_use(token.id, unless_since=now - NOTE_USE_EVERY)
    return Caller(organisation_id=token.organisation_id, token_id=token.id, role=token.role)


def _invalid_token(reason: str) -> Unauthenticated:
    return Unauthenticated(
        f"{reason} Ask an admin of your organisation, or the operator of this portal, for another.",
        headers={"WWW-Authenticate": 'Bearer realm="iadd-exchange", error="invalid_token"'},
    )


def create_organisation(session: Session, name: str) -> Organisation:
    """Raises OrganisationExists."""
    organisations = OrganisationRepository(session)
    if organisations.find_by_name(name) is not None:
        raise OrganisationExists(f"{name!r} is there already. Nothing was changed.")
    return organisations.add(Organisation(name=name))


def find_organisation(session: Session, name: str) -> Organisation:
    """Raises OrganisationNotFound, which names those that exist."""
    organisations = OrganisationRepository(session)
    organisation = organisations.find_by_name(name)
    if organisation is None:
        known = ", ".join(repr(known) for known in organisations.names()) or "none yet"
        raise OrganisationNotFound(f"No organisation is called {name!r}. There are: {known}.")
    return organisation


def create_token(
    session: Session, organisation_id: str, role: Role, expires_at: datetime | None
) -> tuple[Token, str]:
    """A new token and its secret, which is stored nowhere."""
    secret = new_secret()
    token = Token(
        organisation_id=organisation_id,
        secret_hash=hash_secret(secret),
        role=role,
        expires_at=expires_at,
    )
    return TokenRepository(session).add(token), secret

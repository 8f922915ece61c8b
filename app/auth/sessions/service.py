"""Browser sessions: sign in, authenticate, sign out.

Replies never reveal whether an address is known: a wrong address, a wrong password and a locked
account get the same answer after the same time.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.auth.sessions.failures import Source, judge_password, record_failure
from app.auth.sessions.repository import WebSessionRepository
from app.core.clock import utc_now
from app.core.db import Database
from app.core.errors import Forbidden, Unauthenticated
from app.core.passwords import check_password
from app.core.security import Caller, hash_secret, new_secret, same_secret
from app.models.organisation import Organisation
from app.models.user import User
from app.models.web_session import WebSession
from app.users.repository import UserRepository
from app.users.service import caller_of

logger = logging.getLogger(__name__)

NOTE_SEEN_EVERY = timedelta(minutes=5)


class WrongCredentials(Unauthenticated):
    code = "wrong-credentials"
    title = "Wrong address or password"


class CsrfFailed(Forbidden):
    code = "csrf"
    title = "This request did not come from a page of this portal"


@dataclass(frozen=True)
class SignedIn:
    """A session that has just begun. `secret` goes into the cookie and is stored nowhere."""

    secret: str
    session: WebSession
    user: User
    organisation: Organisation


def authenticate(
    database: Database, secret: str, *, csrf_token: str | None, idle: timedelta
) -> Caller:
    """The caller behind a cookie.

    Args:
        database: Holds the sessions.
        secret: Value of the cookie.
        csrf_token: Sent with the request; None for one that changes nothing.
        idle: After so long without a request a session has ended.

    Raises:
        Unauthenticated: There is no such session any more.
        CsrfFailed: The request may come from another site's page.
    """
    with database.reading() as session:
        found = WebSessionRepository(session).find_by_hash(hash_secret(secret))
    now = utc_now()
    if found is None:
        raise _ended()
    row, user, organisation = found
    if row.expires_at <= now or row.last_seen_at < now - idle:
        raise _ended()
    if user.disabled_at is not None or organisation.disabled_at is not None:
        raise _ended()
    if csrf_token is not None and not same_secret(csrf_token, row.csrf_token):
        raise CsrfFailed(
            "A request that changes something needs the session's `X-CSRF-Token` "
            "(GET /api/v1/session has it). Nothing was changed. Reload the page and try again."
        )
    if row.last_seen_at < now - NOTE_SEEN_EVERY:
        _note_seen(database, row.id, now)
    return caller_of(user)


def _note_seen(database: Database, session_id: str, now: datetime) -> None:
    try:
        with database.transaction() as session:
            WebSessionRepository(session).note_seen(session_id, now)
    except OperationalError as error:
        # The disc is full, or another writer takes long: no reason to refuse a read.
        logger.warning("the use of %s was not noted: %s", session_id, type(error.orig).__name__)


def _ended() -> Unauthenticated:
    return Unauthenticated(
        "Your session has ended. Sign in again; nothing that you did before is lost.",
        headers={"WWW-Authenticate": 'Bearer realm="iadd-exchange"'},
    )


def sign_in(
    database: Database,
    email: str,
    password: str,
    *,
    source_for: Callable[[str], Source],
    lasts: timedelta,
    replaces: str | None = None,
) -> SignedIn:
    """Check a password and begin a session. No transaction is open during the check.

    Args:
        database: Holds people and sessions.
        email: Address of the account.
        password: As it was typed.
        source_for: What a wrong one is counted for, by the account's id.
        lasts: Longest life of the session.
        replaces: The cookie that the browser had before: its session ends.

    Raises:
        WrongCredentials: Whatever the reason.
    """
    with database.reading() as session:
        user = UserRepository(session).find_by_email(email)
    checked = None if user is None else user.password_hash
    right = check_password(password, checked)
    if user is None:
        raise _wrong()
    with database.transaction() as session:
        user = UserRepository(session).load(user.id, lock=True)
        signed_in = None
        if judge_password(session, user, checked, source_for(user.id), right=right):
            signed_in = _admit(session, user, lasts=lasts, replaces=replaces)
    if signed_in is None:
        raise _wrong()
    return signed_in


def _admit(
    session: Session, user: User, *, lasts: timedelta, replaces: str | None
) -> SignedIn | None:
    organisation = UserRepository(session).organisation_of(user)
    if user.disabled_at is not None or organisation.disabled_at is not None:
        record_failure(session, user, Action.SIGN_IN_FAILED, reason="disabled")
        return None
    return open_session(session, user, organisation, lasts=lasts, by="password", replaces=replaces)


def open_session(
    session: Session,
    user: User,
    organisation: Organisation,
    *,
    lasts: timedelta,
    by: str,
    replaces: str | None,
) -> SignedIn:
    """Begin a session for an authenticated person, always with a new secret."""
    now = utc_now()
    secret = new_secret()
    if replaces is not None:
        WebSessionRepository(session).delete(hash_secret(replaces))
    row = WebSessionRepository(session).add(
        WebSession(
            user_id=user.id,
            secret_hash=hash_secret(secret),
            csrf_token=secrets.token_urlsafe(32),
            expires_at=now + lasts,
            last_seen_at=now,
        )
    )
    user.failed_sign_ins, user.locked_until, user.last_sign_in_at = 0, None, now
    record(session, caller_of(user), Action.SIGNED_IN, user.id, by=by)
    return SignedIn(secret, row, user, organisation)


def _wrong() -> WrongCredentials:
    return WrongCredentials(
        "No account has this address and this password, or it is locked for a while after several "
        "wrong ones. Try again in some minutes, or ask an admin of your organisation for a link "
        "to set a new password."
    )


def sign_out(database: Database, secret: str, *, everywhere: bool) -> None:
    """End this session, or all of this person's. An ended session is not an error."""
    with database.transaction() as session:
        sessions = WebSessionRepository(session)
        found = sessions.find_by_hash(hash_secret(secret))
        if found is None:
            return
        row, user, _ = found
        if everywhere:
            UserRepository(session).delete_sessions(user.id)
        else:
            sessions.delete(row.secret_hash)
        record(session, caller_of(user), Action.SIGNED_OUT, user.id, everywhere=everywhere)

"""Browser sessions: sign in, authenticate, sign out.

Replies never reveal whether an address is known: a wrong address, a wrong password and a locked
account get the same answer after the same time.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.auth.failures import Source, judge_password, record_failure
from app.auth.second_factor import service as second_factor
from app.auth.sessions.repository import WebSessionRepository
from app.core.clock import utc_now
from app.core.db import Database
from app.core.errors import Forbidden, Unauthenticated
from app.core.passwords import check_password
from app.core.security import Caller, hash_secret, new_secret, same_secret
from app.core.vault import Vault
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


@dataclass(frozen=True)
class BegunSignIn:
    """A sign-in whose password was right, and whose code is missing.

    Attributes:
        user_id: Whose it is.
        password_digest: Of the password's hash: a new password ends what was begun with the old.
    """

    user_id: str
    password_digest: str

    @classmethod
    def of(cls, vault: Vault, user: User) -> Self:
        return cls(user.id, vault.digest((user.password_hash or "").encode()))


class SecondFactorNeeded(Unauthenticated):
    code = "second-factor-needed"
    title = "A code is needed too"

    def __init__(self, begun: BegunSignIn) -> None:
        super().__init__(
            "Your password is right. Send it again together with `code`: the six digits that your "
            "authenticator app shows, or one of your recovery codes."
        )
        self.begun = begun


class WrongCode(Unauthenticated):
    code = "wrong-code"
    title = "This code is not right"


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
    vault: Vault,
    email: str,
    password: str,
    code: str | None = None,
    *,
    source_for: Callable[[str], Source],
    lasts: timedelta,
    replaces: str | None = None,
) -> SignedIn:
    """Check a password and begin a session. No transaction is open during the check.

    Args:
        database: Holds people and sessions.
        vault: Opens the secret of a second factor.
        email: Address of the account.
        password: As it was typed.
        code: Of the second factor, where the account has one.
        source_for: What a wrong one is counted for, by the account's id.
        lasts: Longest life of the session.
        replaces: The cookie that the browser had before: its session ends.

    Raises:
        SecondFactorNeeded: The password is right, and the code is missing.
        WrongCode: The password is right, and the code is not.
        WrongCredentials: Whatever else the reason.
    """
    with database.reading() as session:
        user = UserRepository(session).find_by_email(email)
    checked = None if user is None else user.password_hash
    right = check_password(password, checked)
    if user is None:
        raise _wrong()
    return _enter(
        database,
        vault,
        user.id,
        checked if right else None,
        code,
        source_for=source_for,
        lasts=lasts,
        replaces=replaces,
    )


def finish_sign_in(
    database: Database,
    vault: Vault,
    begun: BegunSignIn,
    code: str,
    *,
    source_for: Callable[[str], Source],
    lasts: timedelta,
    replaces: str | None = None,
) -> SignedIn:
    """Begin the session of a sign-in whose password was right, and whose code was missing.

    Raises WrongCode; WrongCredentials when the password has been changed since.
    """
    with database.reading() as session:
        user = UserRepository(session).load(begun.user_id)
    if begun != BegunSignIn.of(vault, user):
        raise _wrong()
    return _enter(
        database,
        vault,
        user.id,
        user.password_hash,
        code,
        source_for=source_for,
        lasts=lasts,
        replaces=replaces,
    )


def _enter(
    database: Database,
    vault: Vault,
    user_id: str,
    proven: str | None,
    code: str | None,
    *,
    source_for: Callable[[str], Source],
    lasts: timedelta,
    replaces: str | None,
) -> SignedIn:
    """`proven`: the hash whose password was typed; None for a wrong one."""
    signed_in = None
    with database.transaction() as session:
        user = UserRepository(session).load(user_id, lock=True)
        asked = second_factor.check(session, vault, user.id, code)
        accepted = judge_password(
            session,
            user,
            proven,
            source_for(user.id),
            right=proven is not None and not asked.is_wrong,
            what="code" if proven is not None and asked.is_wrong else "password",
            is_all=not asked.is_missing,
        )
        begun = BegunSignIn.of(vault, user)
        if accepted and not asked.is_missing:
            signed_in = _admit(session, user, lasts=lasts, by=asked.use(), replaces=replaces)
    if accepted and asked.is_missing:
        raise SecondFactorNeeded(begun)
    if proven is not None and asked.has_code and not accepted:
        # During a lock too: a right code shall not look different.
        raise _wrong_code()
    if signed_in is None:
        raise _wrong()
    return signed_in


def _admit(
    session: Session, user: User, *, lasts: timedelta, by: str, replaces: str | None
) -> SignedIn | None:
    organisation = UserRepository(session).organisation_of(user)
    if user.disabled_at is not None or organisation.disabled_at is not None:
        record_failure(session, user, Action.SIGN_IN_FAILED, reason="disabled")
        return None
    return open_session(session, user, organisation, lasts=lasts, by=by, replaces=replaces)


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


def _wrong_code() -> WrongCode:
    return WrongCode(
        "It is not what your app shows now, it was used before, or the account is locked for a "
        "while after several wrong ones. Wait for the app's next code, or use a recovery code. "
        "Without either, ask an admin of your organisation."
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

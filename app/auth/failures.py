"""Counts wrong passwords and codes by who sends them, so that strangers do not lock a person out.

A device that has signed in to the account before proves it by a cookie, and counts for itself; an
address counts for all other devices behind it. Guesses from very many addresses lock the account
for all that are unknown, and still not for the devices that are known.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.audit.log import Action, record_by_portal
from app.core.clock import utc_now
from app.models.audit_entry import Outcome
from app.models.sign_in_failures import SignInFailures
from app.models.user import User

TRIES = 5
"""Wrong passwords in a row before a device or an address is locked."""
TRIES_OF_STRANGERS = 100
"""Wrong passwords in a row, from wherever, before all unknown devices are."""
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(hours=1)
KEPT = timedelta(days=7)
"""Failures are forgotten after so long without another one."""


@dataclass(frozen=True)
class Source:
    """Where a password comes from.

    Attributes:
        name: Counts for itself.
        is_known: Whether it has signed in to this account before.
    """

    name: str
    is_known: bool

    @classmethod
    def address(cls, address: str) -> "Source":
        return cls(f"address {address}"[:100], is_known=False)

    @classmethod
    def device(cls, device_id: str) -> "Source":
        return cls(f"device {device_id}"[:100], is_known=True)


SESSION = Source("session", is_known=True)
"""Who is signed in already, and changes the password."""


def judge_password(
    session: Session,
    user: User,
    checked: str | None,
    source: Source,
    *,
    right: bool,
    what: str = "password",
    is_all: bool = True,
) -> bool:
    """Accept or reject a password attempt; wrong ones are counted.

    Args:
        session: The transaction in which a wrong one is counted.
        user: Read again and locked since the check: many tries at once each count.
        checked: The hash that the password was checked against. Another one may be there by now.
        source: Where it comes from.
        right: Result of the check.
        what: What was wrong where it is not right, for the log.
        is_all: False where a code is still missing: the right password alone then takes no earlier
            failure back, or whoever knows it could guess codes without end.
    """
    now = utc_now()
    failures = session.get(SignInFailures, (user.id, source.name), populate_existing=True)
    ends = [] if failures is None else [failures.locked_until]
    if not source.is_known:
        ends.append(user.locked_until)
    # One that lasts longer was written by a clock that ran ahead.
    if any(end is not None and now < end <= now + LONGEST_LOCK for end in ends):
        record_failure(session, user, Action.SIGN_IN_FAILED, reason="locked")
        return False
    if not right or user.password_hash != checked:
        _count(session, user, source, failures, now, what)
        return False
    if is_all and failures is not None:
        session.delete(failures)
    return True


def _count(
    session: Session,
    user: User,
    source: Source,
    failures: SignInFailures | None,
    now: datetime,
    what: str,
) -> None:
    if failures is None:
        failures = SignInFailures(user_id=user.id, source=source.name, count=0)
        session.add(failures)
    failures.count += 1
    here = _lock_after(failures.count - TRIES)
    strangers = timedelta()
    if not source.is_known:
        user.failed_sign_ins += 1
        strangers = _lock_after(user.failed_sign_ins - TRIES_OF_STRANGERS)
    if not here and not strangers:
        record_failure(session, user, Action.SIGN_IN_FAILED, reason=f"wrong {what}")
    if here:
        failures.locked_until = now + here
        # The address itself would stay in the log for good.
        _record_lock(session, user, source.name.split()[0], failures.count, here)
    if strangers:
        user.locked_until = now + strangers
        _record_lock(session, user, "all unknown devices", user.failed_sign_ins, strangers)


def _lock_after(beyond: int) -> timedelta:
    if beyond < 0:
        return timedelta()
    doubled: int = 2 ** min(beyond, 10)
    return min(FIRST_LOCK * doubled, LONGEST_LOCK)


def _record_lock(session: Session, user: User, what: str, count: int, lock: timedelta) -> None:
    minutes = lock.total_seconds() / 60
    record_failure(
        session, user, Action.ACCOUNT_LOCKED, locked=what, failures=count, minutes=minutes
    )


def record_failure(session: Session, user: User, action: Action, **details: object) -> None:
    """In the log of the person's organisation."""
    record_by_portal(
        session,
        user.organisation_id,
        action,
        user.id,
        by="somebody at the sign-in",
        outcome=Outcome.REFUSED,
        **details,
    )


def forget_old_failures(session: Session, now: datetime) -> None:
    session.execute(delete(SignInFailures).where(SignInFailures.updated_at < now - KEPT))

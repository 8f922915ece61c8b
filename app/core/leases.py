"""Claiming, renewing and writing under a lease.

A worker that claims a row gets its fence. Each of its writes names that fence, so a worker that
was paused, lost its lease and woke up again changes nothing: its write hits no row and raises
`LeaseLost`. Clocks decide only how soon a row may be taken over, never who may write; and there is
one clock for all machines, the database's.

A clock that ran ahead leaves leases, and times of changes, that lie in the future once it is right
again. What ends later than any lease that begins now could is no lease.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.settings import LONGEST_LEASE_SECONDS

LONGEST = timedelta(seconds=LONGEST_LEASE_SECONDS)
"""The most that `EXCHANGE_LEASE_SECONDS` may be. What ends later than that was not written now."""


class LeaseLost(Exception):  # noqa: N818 (an event, not an error of the caller)
    """Another worker owns the row now, or it is gone. Stop; write nothing more."""


def now_of(session: Session) -> datetime:
    """The time by which leases are written and read.

    Machines whose clocks are further apart than a lease would take each other's rows for ever.
    SQLite has no clock of its own, and is on one machine.
    """
    if session.get_bind().dialect.name == "sqlite":
        return utc_now()
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now


def is_held(model: type[Any], now: datetime) -> ColumnElement[bool]:
    """Whether somebody has the row."""
    return and_(model.lease_expires_at >= now, model.lease_expires_at <= now + LONGEST)


def is_free(model: type[Any], now: datetime) -> ColumnElement[bool]:
    """Whether nobody has the row, or its lease is over."""
    return or_(model.lease_expires_at.is_(None), _is_over(model, now))


def is_held_until(expires_at: datetime | None, now: datetime) -> bool:
    """Like `is_held`, of a row that was read."""
    return expires_at is not None and now <= expires_at <= now + LONGEST


def _is_over(model: type[Any], now: datetime) -> ColumnElement[bool]:
    return or_(model.lease_expires_at < now, model.lease_expires_at > now + LONGEST)


def claim(
    session: Session,
    model: type[Any],
    row_id: str,
    *,
    statuses: Collection[StrEnum],
    owner: str,
    seconds: float,
) -> int | None:
    """Claim the row if it is in one of `statuses` and free; the new fence, or None."""
    now = now_of(session)
    statement = (
        update(model)
        .where(
            model.id == row_id,
            model.status.in_(list(statuses)),
            is_free(model, now),
        )
        .values(
            lease_owner=owner,
            lease_expires_at=now + timedelta(seconds=seconds),
            fence=model.fence + 1,
            # A lease that expired with an owner: its worker died over the row.
            takeovers=case((model.lease_owner.is_not(None), model.takeovers + 1), else_=0),
        )
        .returning(model.fence)
        .execution_options(synchronize_session=False)
    )
    return session.execute(statement).scalar_one_or_none()


def renew(session: Session, model: type[Any], row_id: str, *, fence: int, seconds: float) -> None:
    """The heartbeat. Raises LeaseLost."""
    expires_at = now_of(session) + timedelta(seconds=seconds)
    write(session, model, row_id, fence=fence, lease_expires_at=expires_at)


def release(session: Session, model: type[Any], row_id: str, *, fence: int, **values: Any) -> None:
    """Give the row back, with a last change of it. Raises LeaseLost.

    The fence moves on: a commit that succeeded although its reply was lost can be tried again
    without harm, because the second time the row is not held any more.
    """
    _write(
        session,
        model,
        row_id,
        fence,
        {"lease_owner": None, "lease_expires_at": None, "fence": fence + 1, **values},
    )


def give_up(session: Session, model: type[Any], row_id: str, *, fence: int) -> None:
    """Release the row of a worker that could not continue. Raises LeaseLost.

    The owner stays in it: the next claim counts a takeover, as of a worker that died.
    """
    release(session, model, row_id, fence=fence, lease_owner=model.lease_owner)


def write(session: Session, model: type[Any], row_id: str, *, fence: int, **values: Any) -> None:
    """Change the row under the lease. Raises LeaseLost when the fence has moved on."""
    _write(session, model, row_id, fence, values)


def _write(
    session: Session, model: type[Any], row_id: str, fence: int, values: Mapping[str, Any]
) -> None:
    statement = (
        update(model)
        .where(model.id == row_id, model.fence == fence)
        .values(values)
        .execution_options(synchronize_session="fetch")
    )
    result = session.execute(statement)
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        raise LeaseLost(f"{model.__tablename__} {row_id}: fence {fence} is no longer valid")


def free(
    session: Session,
    model: type[Any],
    row_id: str,
    *,
    statuses: Collection[StrEnum],
    untouched_since: datetime,
) -> bool:
    """Free an abandoned row; False when another process was faster.

    Only one of several sweepers succeeds, because the UPDATE itself touches the row. The owner
    stays in it: the next claim counts a takeover.
    """
    now = now_of(session)
    statement = (
        update(model)
        .where(
            model.id == row_id,
            model.status.in_(list(statuses)),
            or_(
                _is_over(model, now),
                and_(
                    model.lease_expires_at.is_(None),
                    or_(model.updated_at < untouched_since, model.updated_at > now + LONGEST),
                ),
            ),
        )
        .values(lease_expires_at=None, updated_at=now)
        .returning(model.id)
        .execution_options(synchronize_session=False)
    )
    return session.execute(statement).scalar_one_or_none() is not None


def abandoned(
    session: Session, model: type[Any], statuses: Collection[StrEnum], where: ColumnElement[bool]
) -> Sequence[str]:
    """Rows whose lease ran out."""
    return session.scalars(
        select(model.id).where(
            model.status.in_(list(statuses)), _is_over(model, now_of(session)), where
        )
    ).all()


def waiting(
    session: Session, model: type[Any], statuses: Collection[StrEnum], where: ColumnElement[bool]
) -> dict[str, datetime]:
    """Free rows, each with the time of its last change; one of the future counts as long ago."""
    latest = utc_now() + LONGEST
    rows = session.execute(
        select(model.id, model.updated_at).where(
            model.status.in_(list(statuses)), model.lease_expires_at.is_(None), where
        )
    )
    long_ago = datetime.min.replace(tzinfo=UTC)
    return {row.id: row.updated_at if row.updated_at <= latest else long_ago for row in rows}


def idle(
    session: Session, model: type[Any], statuses: Collection[StrEnum], where: ColumnElement[bool]
) -> Sequence[str]:
    """Free rows."""
    return session.scalars(
        select(model.id).where(
            model.status.in_(list(statuses)),
            is_free(model, now_of(session)),
            where,
        )
    ).all()

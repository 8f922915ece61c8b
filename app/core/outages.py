"""The database, the object store or the broker is away: it restarts, is locked, cannot be written.

A worker tries again by itself; a request says so, so that its client does.
"""

import errno
import sqlite3

from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.errors import Problem
from app.core.storage import StorageError

RETRY_SECONDS = 2
OUTAGES = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    StorageError,
    BrokerError,
    ConnectionError,
    TimeoutError,
)
_NOT_WRITABLE = (errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)


class StorageUnavailable(Problem):
    status = 503
    code = "storage-unavailable"
    title = "The database or the object store did not answer"


def storage_unavailable() -> StorageUnavailable:
    """The problem of a request that met one by surprise."""
    return StorageUnavailable(
        "The portal could not read or store what this request needs. All that was stored before is "
        f"kept. Try again in {RETRY_SECONDS} s: with an `Idempotency-Key` nothing is done twice. "
        "If it stays so, tell the operator.",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def is_outage(error: BaseException | None) -> bool:
    """Whether an error, or what it was raised from, says so."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OUTAGES) and not _is_mistake(error):
            return True
        if isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_mistake(error: BaseException) -> bool:
    """Whether SQLite names a wrong statement as it names an outage."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_ERROR

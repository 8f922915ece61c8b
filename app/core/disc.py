"""Room on the disc of the data: a reserve that uploads leave alone, and that deletions may use.

A deletion writes before it frees anything: rows, and the audit log. On a full disc it would fail
as everything else does. So a file beside the database holds a few megabytes, which make way while
something is deleted.
"""

import errno
import logging
import os
import shutil
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from app.core.errors import Problem
from app.core.settings import Settings
from app.core.storage import Storage, StorageError

logger = logging.getLogger(__name__)

HELD_BYTES = 8 * 1024 * 1024
"""Twice what SQLite's log of writes takes before it is folded into the database."""
LEFT_BYTES = 1024 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SQLITE_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)
_POSTGRESQL_FULL = "53100"


class DiscFull(Problem):
    status = 507
    code = "disc-full"
    title = "The disc of the portal is full"


def disc_full() -> DiscFull:
    """The problem of a request that met a full disc by surprise."""
    return DiscFull(
        "There was no room to store what this request brings, and it changed nothing. What was "
        "stored before is kept, and can be read and deleted. Delete what nobody needs, or ask the "
        "operator to make room; then try again."
    )


def is_disc_full(error: BaseException | None) -> bool:
    """Whether an error, or what it was raised from, says that there is no room."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if _says_full(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _says_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) in _SQLITE_FULL
    if isinstance(error, DBAPIError):
        return getattr(error.orig, "sqlstate", None) == _POSTGRESQL_FULL
    # obstore has no kind of its own for it, and quotes the system.
    return isinstance(error, StorageError) and any(f"os error {n}" in str(error) for n in _FULL)


class Reserve:
    """The room that is kept free.

    Args:
        folders: Where the portal stores data; none where all of it is on other machines.
        size: Bytes below which nothing is uploaded; 0 checks nothing.
        held: File that holds room for deletions; None where the database is elsewhere.
    """

    def __init__(self, folders: Sequence[Path], size: int, held: Path | None) -> None:
        self._folders = folders
        self._size = size
        self._held = held if size > 0 else None
        self._lock = threading.Lock()
        self._deletions = 0

    @classmethod
    def of(cls, settings: Settings, storage: Storage) -> Self:
        url = make_url(settings.database_url)
        local = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        database = Path(url.database).parent if local and url.database else None
        objects = storage.path_of("")
        folders = [folder for folder in (database, objects) if folder is not None]
        held = None if database is None else database / "reserve"
        return cls(folders, settings.reserve_bytes, held)

    @property
    def is_whole(self) -> bool:
        """Whether an upload would be taken."""
        return self._free() >= self._size

    @property
    def free_bytes(self) -> int | None:
        """Free bytes on the fullest disc; None where all is on other machines."""
        return self._free() if self._folders else None

    def expect(self, coming: int = 0) -> None:
        """Raise DiscFull unless the reserve is left when so many bytes have come."""
        if self._size == 0 or self._free() >= self._size + coming:
            return
        raise DiscFull(
            "The portal has too little room left for this archive. What had come before is kept. "
            "Delete datasets or distillations that nobody needs, or ask the operator to make "
            "room; then go on with the upload."
        )

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Let what is done in the block have the room that is held.

        It is for deletions, and for signing in, without which nobody can delete.
        """
        with self._lock:
            self._deletions += 1
            if self._held is not None and self._free() < HELD_BYTES:
                with suppress(OSError):
                    self._held.unlink(missing_ok=True)
        try:
            yield
        finally:
            with self._lock:
                self._deletions -= 1
            self.hold()

    def hold(self) -> None:
        """Hold the room again, or as much of it as there is by now."""
        with self._lock:
            if self._held is None or self._deletions:
                return
            size = min(HELD_BYTES, _free_bytes(self._held.parent) - LEFT_BYTES)
            if size <= 0:
                return
            try:
                _allocate(self._held, size)
            except OSError as error:
                logger.warning("no room is held for deletions: %s", error)

    def _free(self) -> int:
        # Discs of other machines are for these to watch.
        return min((_free_bytes(folder) for folder in self._folders), default=sys.maxsize)


def _free_bytes(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _allocate(path: Path, size: int) -> None:
    if path.exists() and path.stat().st_size >= size:
        return
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # macOS lacks it; there zeros are written.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, size)
        else:
            os.pwrite(file, bytes(size), 0)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)

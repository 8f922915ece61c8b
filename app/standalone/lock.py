"""The lock on a data folder: one service at a time works in it."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

LOCK_SECONDS = 5.0
"""Seconds to wait for the lock: the children of a killed supervisor need a moment to die."""


class FolderInUseError(RuntimeError):
    """Another service works in the folder. The message is for the user."""


@contextlib.contextmanager
def folder_lock(data_dir: Path) -> Iterator[int]:
    """Hold the folder's lock; gives its descriptor, which every child inherits.

    Raises:
        FolderInUseError: When somebody else holds it for longer than a moment.
    """
    lock = os.open(data_dir / "exchange.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
                    raise FolderInUseError(
                        f"{data_dir} is in use by another IADD Exchange (process {holder}, or "
                        "children that outlived it). Nothing was changed. Stop that one first, or "
                        "choose another folder with --data-dir."
                    ) from None
                time.sleep(0.1)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield lock
    finally:
        os.close(lock)

"""This process tells that it is there: a row that says what it listens to and works on.

An operator sees by it which workers live, idle ones too. It decides nothing: a row belongs to who
holds its lease.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib.metadata import version

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from app.core.clock import utc_now
from app.core.db import Database
from app.core.queue import Queue
from app.models import WorkerProcess

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
FORGOTTEN_AFTER = timedelta(days=1)

_queues: list[str] = [queue.value for queue in Queue]


def listen_to(queues: Sequence[str]) -> None:
    """Which queues this worker takes from; said before it forks."""
    _queues[:] = queues


def queues() -> list[str]:
    return list(_queues)


class Presence:
    """Writes the row for as long as it is begun and not ended.

    Args:
        database: Where the row is.
        device: What networks run on here.
    """

    def __init__(self, database: Database, device: str) -> None:
        self._database = database
        self._device = device
        self._id = f"{socket.gethostname()}:{os.getpid()}"
        self._started_at = utc_now()
        self._held: tuple[str, datetime] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="presence", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """The process leaves in peace: no row is left."""
        self._over.set()
        self._thread.join(5)
        self._try(self._remove)

    @contextmanager
    def holding(self, row_id: str) -> Iterator[None]:
        """What it works on, told with the next beat."""
        self._held = (row_id, utc_now())
        try:
            yield
        finally:
            self._held = None

    def _beat(self) -> None:
        self._try(self._forget_others)
        while True:
            self._try(self._write)
            if self._over.wait(BEAT_SECONDS):
                return

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except SQLAlchemyError as error:
            logger.warning("presence was not written: %s", type(error).__name__)

    def _write(self) -> None:
        row_id, since = self._held or (None, None)
        row = WorkerProcess(
            id=self._id,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=queues(),
            device=self._device,
            version=version("iadd-exchange"),
            started_at=self._started_at,
            seen_at=utc_now(),
            row_id=row_id,
            row_since=since,
        )
        with self._database.transaction() as session:
            session.merge(row)

    def _remove(self) -> None:
        with self._database.transaction() as session:
            session.execute(delete(WorkerProcess).where(WorkerProcess.id == self._id))

    def _forget_others(self) -> None:
        """Of processes that were killed long ago."""
        with self._database.transaction() as session:
            session.execute(
                delete(WorkerProcess).where(WorkerProcess.seen_at < utc_now() - FORGOTTEN_AFTER)
            )


_presence: Presence | None = None


def begin(database: Database, device: str) -> None:
    """In the child, after the fork."""
    global _presence
    _presence = Presence(database, device)
    _presence.begin()


def end() -> None:
    if _presence is not None:
        _presence.end()


@contextmanager
def holding(row_id: str) -> Iterator[None]:
    """This process works on a row for as long as the block runs."""
    if _presence is None:
        yield
        return
    with _presence.holding(row_id):
        yield

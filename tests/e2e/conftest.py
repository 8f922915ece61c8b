"""The whole service as people run it: `exchange up` in a process of its own, asked over REST."""

import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

QUICK = {
    "EXCHANGE_LEASE_SECONDS": "2",
    "EXCHANGE_HEARTBEAT_SECONDS": "0.4",
    "EXCHANGE_SWEEP_SECONDS": "0.5",
    "EXCHANGE_STALE_SECONDS": "4",
    "EXCHANGE_CHECKPOINT_SECONDS": "0",
    "EXCHANGE_PROGRESS_SECONDS": "0",
    "EXCHANGE_TORCH_THREADS": "1",
    "EXCHANGE_DEVICE": "cpu",
    "EXCHANGE_WEBHOOK_NETWORKS": "127.0.0.0/8",
}
"""Production's intervals, shortened."""

TINY: dict[str, Any] = {
    "width": 4,
    "teachers": 2,
    "teacher_epochs": 3,
    "iterations": 5,
    "syn_steps": 2,
    "expert_epochs": 1,
    "max_start_epoch": 2,
    "validate_every": 0,
    "evaluation_networks": 2,
    "evaluation_epochs": 2,
    "baseline_lrs": [0.01],
    "full_epochs": 1,
}
"""Overrides of `cpu_demo` for a run of seconds."""


@pytest.fixture(name="wait_until", scope="session")
def _wait_until() -> Callable[..., Any]:
    return wait_until


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(0.02)
    return found


def _leads(pid: int) -> bool:
    """Whether a process has a group of its own, as what the supervisor starts has.

    A fork is not told by its number: numbers begin anew when they are used up.
    """
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def _is_alive(group: int) -> bool:
    """Whether a process group has a member left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@dataclass
class Service:
    """`exchange up` on a data folder, and a client with a steward's token."""

    data_dir: Path
    process: "subprocess.Popen[str]"
    url: str
    said: list[str]
    """Lines on its terminal so far."""

    @cached_property
    def client(self) -> httpx.Client:
        """Asks as a steward of a hospital that is made for it."""
        kept = self.data_dir / "token"
        if not kept.exists():
            exchange("admin", "create-organisation", "Hospital", data_dir=self.data_dir)
            whose = ("--organisation", "Hospital", "--role", "steward")
            kept.write_text(exchange("admin", "create-token", *whose, data_dir=self.data_dir))
        return httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {kept.read_text()}"},
            timeout=30,
        )

    def pids(self) -> dict[int, str]:
        """Every process of this service that lives, with its command line."""
        return processes_of(self.data_dir)

    def pid_of(self, words: str) -> int:
        """The child whose command line has these words, and not one of its forks.

        Waits for it, should it just be started again.
        """

        def found() -> list[int]:
            return [pid for pid, command in self.pids().items() if words in command and _leads(pid)]

        return int(wait_until(found, f"{words} runs")[0])

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=60)

    def logs(self) -> str:
        return "\n".join(
            f"== {path.name}\n{path.read_text()[-6000:]}"
            for path in sorted((self.data_dir / "logs").glob("*.log"))
        )

    def upload(self, archive: bytes, name: str = "ward") -> dict[str, Any]:
        """The dataset once it is checked, `ready` or `rejected`."""
        made = self.client.post("/datasets", json={"name": name}).raise_for_status().json()
        sent = self.client.put(f"/datasets/{made['id']}/archive", content=archive)
        assert sent.status_code == 202, sent.text

        def checked() -> dict[str, Any] | None:
            row: dict[str, Any] = self.client.get(f"/datasets/{made['id']}").json()
            return row if row["status"] in ("ready", "rejected") else None

        row: dict[str, Any] = wait_until(checked, "the archive is checked")
        return row

    def distill(self, dataset_id: str, **overrides: Any) -> str:
        body = {
            "preset": "cpu_demo",
            "images_per_class": 2,
            "seed": 3,
            "overrides": {**TINY, **overrides},
        }
        reply = self.client.post(f"/datasets/{dataset_id}/distillations", json=body)
        assert reply.status_code == 202, reply.text
        distillation_id: str = reply.json()["id"]
        return distillation_id

    def row(self, distillation_id: str) -> dict[str, Any]:
        reply = self.client.get(f"/distillations/{distillation_id}").raise_for_status()
        row: dict[str, Any] = reply.json()
        return row

    def wait_for(
        self, distillation_id: str, *statuses: str, seconds: float = 120
    ) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            row = self.row(distillation_id)
            if row["status"] == "failed" and "failed" not in statuses:
                pytest.fail(f"{json.dumps(row['problem'], indent=1)}\n{self.logs()}")
            return row if row["status"] in statuses else None

        row: dict[str, Any] = wait_until(reached, f"{distillation_id} is {statuses}", seconds)
        return row

    def result(self, distillation_id: str, name: str) -> bytes:
        """`bundle`, `report.json` or `report.html`."""
        return (
            self.client.get(f"/distillations/{distillation_id}/{name}").raise_for_status().content
        )

    def images(self, distillation_id: str) -> bytes:
        """The distilled images as the bundle has them, every bit."""
        with zipfile.ZipFile(io.BytesIO(self.result(distillation_id, "bundle"))) as bundle:
            return bundle.read("distilled.safetensors")

    def figures(self, distillation_id: str) -> Any:
        """What was measured: utility and privacy."""
        report = json.loads(self.result(distillation_id, "report.json"))
        return report["utility"], report["privacy"]

    def events(self, distillation_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Kind and data of every event until the job has ended."""
        found, kind, last_id = [], "", 0
        with self.client.stream("GET", f"/distillations/{distillation_id}/events") as stream:
            for line in stream.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    assert int(value) > last_id
                    last_id = int(value)
                elif name == "data":
                    found.append((kind, json.loads(value)))
        return found

    def kill_workers_in(self, distillation_id: str, phase: str) -> None:
        """SIGKILL to both workers and their forks while one works on this phase of the row.

        They are frozen first, so that the phase cannot end between the look and the kill.
        """
        groups = [self.pid_of(f"worker --queues {queue}") for queue in ("gpu", "cpu")]
        wait_until(lambda: self._works_on(distillation_id, phase), f"{phase} is under way", 120)
        for group in groups:
            os.killpg(group, signal.SIGSTOP)
        caught = self._works_on(distillation_id, phase)
        for group in groups:
            os.killpg(group, signal.SIGKILL if caught else signal.SIGCONT)
        assert caught, f"{phase} was over too soon to be caught"
        # A fork outlives its parent by a moment, and would be taken for the worker that follows.
        wait_until(lambda: not any(map(_is_alive, groups)), "the killed workers are gone")

    def _works_on(self, distillation_id: str, phase: str) -> bool:
        """Whether a worker holds the row (read past the portal: some phases are short)."""
        question = (
            "SELECT 1 FROM teacher JOIN distillation USING (trajectory_set_id) "
            "WHERE distillation.id = ? AND distillation.status = ? AND epochs_done > 0 "
            "AND teacher.lease_expires_at IS NOT NULL"
            if phase == "teaching"
            else "SELECT 1 FROM distillation WHERE id = ? AND status = ? "
            "AND lease_expires_at IS NOT NULL"
        )
        with closing(sqlite3.connect(self.data_dir / "exchange.db", timeout=30)) as database:
            return database.execute(question, (distillation_id, phase)).fetchone() is not None


def processes_of(data_dir: Path) -> dict[int, str]:
    """Processes that live and hold the folder's lock: supervisor, children and their forks."""
    lock = str(data_dir / "exchange.lock")
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if lock in {str(file.readlink()) for file in (folder / "fd").iterdir()}:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(folder.name)] = command
        except OSError:  # it ended while it was looked at
            continue
    return found


def exchange(*arguments: str, data_dir: Path) -> str:
    """The last line that an `exchange` command prints."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", *arguments, "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


def start_service(data_dir: Path, **environment: str) -> Service:
    process = subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "app.cli", "up"),
            *("--data-dir", str(data_dir), "--port", "0"),
        ],
        env={**os.environ, "EXCHANGE_DATA_DIR": str(data_dir), **QUICK, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        said.extend(process.stdout)  # line by line, as they come

    threading.Thread(target=read, daemon=True).start()

    def url() -> str | None:
        assert process.poll() is None, "".join(said)
        found = re.search(r"listens at (http://\S+)", "".join(said))
        return found and found[1]

    address = wait_until(url, "the service says where it listens")
    return Service(data_dir, process, address, said)


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start a service of one's own, on the same folder each time if none is named."""
    services: list[Service] = []

    def make(data_dir: Path | None = None, **environment: str) -> Service:
        services.append(start_service(data_dir or tmp_path / "data", **environment))
        return services[-1]

    yield make
    for service in services:
        service.stop()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that tests share, which leave its processes alone."""
    service = start_service(tmp_path_factory.mktemp("service") / "data")
    yield service
    service.stop()


def picture(label: int, seed: int) -> bytes:
    """A PNG, bright on top or below."""
    pixels = np.random.default_rng([label, seed]).integers(0, 120, (32, 32), dtype=np.uint8)
    pixels[16 * label : 16 * label + 16] += 100
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def zipped(first: int) -> bytes:
    """Two classes of 30 pictures each, no two alike."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for label, name in enumerate(("COVID", "Normal")):
            for number in range(first, first + 30):
                written.writestr(f"set/{name}/{number:03d}.png", picture(label, number))
    return file.getvalue()


@pytest.fixture(scope="session")
def archive() -> bytes:
    return zipped(0)


@pytest.fixture(scope="session")
def other_archive() -> bytes:
    """Another hospital's, with none of the same pictures."""
    return zipped(100)


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    return TINY

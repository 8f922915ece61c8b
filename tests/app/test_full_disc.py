"""A portal whose disc fills up: a tmpfs of a few megabytes, in a mount namespace of its own."""

import base64
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.core.security import Role
from tests.fixtures.broker import Broker
from tests.fixtures.ports import free_ports
from tests.fixtures.waiting import wait_until

MEBIBYTE = 1024 * 1024
DISC = 64 * MEBIBYTE
RESERVE = 16 * MEBIBYTE
TUS = {"Tus-Resumable": "1.0.0"}
BEGIN = """
mount -t tmpfs -o size=$SIZE tmpfs "$EXCHANGE_DATA_DIR" || exit 77
exchange() { "$PYTHON" -P -m app.cli "$@"; }
exchange migrate && exchange admin create-organisation Hospital || exit 1
for role in steward admin; do
    exchange admin create-token --organisation Hospital --role $role > "$TOKENS/$role" || exit 1
done
exec "$PYTHON" -P -m app.cli portal --port "$PORT"
"""
"""A user namespace needs no root; where it is forbidden, mounting ends with 77."""


@dataclass
class SmallDisc:
    folder: Path
    """The data, as seen from outside of the portal's namespace."""
    url: str
    tokens: Path

    def client(self, role: Role) -> httpx.Client:
        token = (self.tokens / role.value).read_text().splitlines()[-1]
        return httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )

    @property
    def free(self) -> int:
        return shutil.disk_usage(self.folder).free

    def fill(self, leave: int) -> None:
        """As another program on this machine would."""
        with (self.folder / "filler").open("ab", buffering=0) as file:
            while self.free > leave:
                try:
                    file.write(bytes(min(MEBIBYTE, self.free - leave)))
                except OSError:  # full to the last byte
                    return

    def make_room(self) -> None:
        (self.folder / "filler").unlink()


@pytest.fixture
def small_disc(broker: Broker, tmp_path: Path) -> Iterator[SmallDisc]:
    data, tokens = tmp_path / "data", tmp_path / "tokens"
    data.mkdir()
    tokens.mkdir()
    [port] = free_ports(1)
    environment = {
        **os.environ,
        "EXCHANGE_DATA_DIR": str(data),
        "EXCHANGE_BROKER_URL": broker.url,
        "EXCHANGE_RESERVE_BYTES": str(RESERVE),
        "PYTHON": sys.executable,
        "TOKENS": str(tokens),
        "PORT": str(port),
        "SIZE": str(DISC),
    }
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    log = tmp_path / "portal.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", BEGIN],
            env=environment,
            stdout=output,
            stderr=output,
        )
    disc = SmallDisc(Path(f"/proc/{process.pid}/root{data}"), f"http://127.0.0.1:{port}", tokens)

    def answers() -> bool:
        if process.poll() is not None:
            words = log.read_text()
            if process.returncode == 77 or words.startswith("unshare:"):
                pytest.skip(f"no mounts here: {words}")
            pytest.fail(words)
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{disc.url}/healthz").is_success
        return False

    try:
        wait_until(answers, "the portal answers", 120)
        yield disc
    finally:
        process.kill()
        process.wait()


def new_dataset(client: httpx.Client) -> str:
    made = client.post("/datasets", json={"name": "chest"})
    assert made.status_code == 201, made.text
    dataset_id: str = made.json()["id"]
    return dataset_id


def begin(client: httpx.Client, dataset_id: str, length: int) -> httpx.Response:
    """Begin an archive that arrives in pieces."""
    named = base64.b64encode(dataset_id.encode()).decode()
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": f"dataset_id {named}"}
    return client.post("/uploads", headers=headers)


def append(client: httpx.Client, upload_id: str, content: bytes) -> httpx.Response:
    headers = {
        **TUS,
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    }
    return client.patch(f"/uploads/{upload_id}", headers=headers, content=content)


def written_until_full(client: httpx.Client) -> httpx.Response:
    """What is answered once the database cannot grow: its log of writes still has some room."""
    for _ in range(1000):
        reply = client.post("/datasets", json={"name": "chest"})
        if reply.status_code != 201:
            return reply
    raise AssertionError("the disc was not full")


def upload(client: httpx.Client, dataset_id: str, size: int) -> httpx.Response:
    return client.put(f"/datasets/{dataset_id}/archive", content=bytes(size))


@pytest.mark.slow
def test_a_full_disc_is_emptied_through_the_portal(small_disc: SmallDisc) -> None:
    with small_disc.client(Role.STEWARD) as steward, small_disc.client(Role.ADMIN) as admin:
        large, empty = new_dataset(steward), new_dataset(steward)
        begun = begin(steward, large, 8 * MEBIBYTE).json()["id"]
        assert append(steward, begun, bytes(4 * MEBIBYTE)).status_code == 204
        too_large = upload(steward, empty, small_disc.free - RESERVE + 1)

        small_disc.fill(leave=RESERVE // 2)
        below = httpx.get(f"{small_disc.url}/readyz")
        refused = [
            upload(steward, empty, 1000),
            steward.put(f"/datasets/{empty}/archive", content=iter([bytes(9 * MEBIBYTE)])),
            begin(steward, empty, 1000),
        ]

        small_disc.fill(leave=0)
        # Never used before: its use would be noted.
        read = admin.get("/datasets")
        written = written_until_full(steward)
        deleted = steward.delete(f"/datasets/{large}")

        listed = [item["id"] for item in steward.get("/datasets").json()["items"]]
        small_disc.make_room()
        after = upload(steward, empty, 1000)
        whole = httpx.get(f"{small_disc.url}/readyz")

    assert too_large.status_code == 507, too_large.text
    assert below.status_code == 503
    assert below.json()["checks"]["disc"] == "full"
    assert [reply.status_code for reply in refused] == [507] * 3
    assert refused[0].json()["type"].endswith(":disc-full")
    assert read.status_code == 200, read.text
    assert written.status_code == 507, written.text
    assert deleted.status_code == 204, deleted.text
    assert large not in listed
    assert after.status_code == 202
    assert whole.status_code == 200

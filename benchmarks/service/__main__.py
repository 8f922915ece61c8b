"""Load a portal on this machine, beside a bare FastAPI, and print a table.

    python -m benchmarks.service [--seconds 20] [--rate 200] [--datasets 100000] [--portals 1]
        [--soak-minutes 0]

The portal is `exchange up`: SQLite, its workers idle. The client takes one of the cores, too. Run
it on a machine that does nothing else.
"""

import argparse
import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.auth.tokens import service as tokens
from app.core.clock import utc_now
from app.core.db import Database
from app.core.ids import new_id
from app.core.security import Role
from app.core.settings import Settings
from app.core.vault import Vault
from app.models import Dataset, DatasetStatus, Distillation, DistillationStatus
from app.organisations import service as organisations
from app.standalone.service import EmbeddedService
from benchmarks.service.load import Latencies, follow, read, upload

VIEWERS, VIEWERS_OF_TOKEN = 200, 20
UPLOADS, UPLOAD_BYTES = 20, 32 << 20
SOAK_RATE = 50
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Loaded:
    """A portal with rows to ask for.

    Attributes:
        url: Its address.
        token: Of a steward.
        viewers: Tokens of that organisation; one of them may have so many event streams.
        distillation: A job that runs.
        awaiting: Datasets that wait for their archive.
        pid: Of the portal.
    """

    url: str
    token: str
    viewers: list[str]
    distillation: str
    awaiting: list[str]
    pid: int


@contextlib.contextmanager
def loaded_portal(folder: Path, datasets: int, portals: int = 1) -> Iterator[Loaded]:
    """Run a service whose organisation has so many datasets."""
    limits = {"EXCHANGE_REQUEST_RATE": "1000000/minute"}
    with EmbeddedService(folder, portals=portals, settings=limits) as service:
        settings = Settings(_env_file=None, data_dir=folder)
        database = Database(settings.database_url)
        with database.transaction() as session:
            organisation = organisations.create(session, Vault.of(settings), "Hospital")
            organisation.quota = {"datasets": 10**6}
            secrets = [
                tokens.create_by_operator(session, organisation.id, Role.STEWARD, None)[1]
                for _ in range(VIEWERS // VIEWERS_OF_TOKEN)
            ]
            awaiting = _fill(session, organisation.id, datasets)
            row = Distillation(
                organisation_id=organisation.id,
                dataset_id=awaiting[0],
                preset="cpu_demo",
                images_per_class=1,
                initialisation="public",
                seed=0,
                status=DistillationStatus.DISTILLING,
                lease_owner="nobody",
                lease_expires_at=utc_now() + timedelta(minutes=9),
            )
            session.add(row)
            session.flush()
            distillation = row.id
        database.close()
        yield Loaded(
            service.url,
            secrets[0],
            secrets,
            distillation,
            awaiting,
            service.pids()["portal"],
        )


def _fill(session: Session, organisation_id: str, datasets: int) -> list[str]:
    """Insert datasets; ids of those that wait for their archive."""
    now = utc_now()
    rows = [
        {
            "id": new_id("ds"),
            "organisation_id": organisation_id,
            "name": f"chest {number}",
            "status": DatasetStatus.AWAITING_UPLOAD if number < UPLOADS else DatasetStatus.READY,
            "classes": {"COVID": {"train": 100, "test": 20}, "Normal": {"train": 100, "test": 20}},
            "created_at": now,
            "updated_at": now,
        }
        for number in range(max(datasets, UPLOADS))
    ]
    for first in range(0, len(rows), 1000):
        session.execute(insert(Dataset), rows[first : first + 1000])
    return [row["id"] for row in rows[:UPLOADS]]


@contextlib.contextmanager
def bare_portal() -> Iterator[str]:
    """Run the bare FastAPI; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with subprocess.Popen([sys.executable, "-m", "benchmarks.service.bare", str(port)]) as process:
        try:
            _until_it_answers(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _until_it_answers(port: int) -> None:
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)


def resident_bytes(pid: int) -> int:
    """Memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of each load")
    parser.add_argument("--rate", type=float, default=200, help="reads a second")
    parser.add_argument("--datasets", type=int, default=100_000)
    parser.add_argument("--portals", type=int, default=1, help="processes of the portal")
    parser.add_argument("--soak-minutes", type=float, default=0)
    arguments = parser.parse_args()
    print("| load | bare FastAPI | portal |")
    print("|---|---|---|")
    with bare_portal() as bare:
        plain = asyncio.run(
            read(bare, "none", ["/datasets"], rate=arguments.rate, seconds=arguments.seconds)
        )
        plain_upload = asyncio.run(
            upload(bare, "none", [f"/{n}" for n in range(UPLOADS)], UPLOAD_BYTES)
        )
    with (
        tempfile.TemporaryDirectory(prefix="load-") as folder,
        loaded_portal(Path(folder), arguments.datasets, arguments.portals) as portal,
    ):
        _measure(portal, plain, plain_upload, arguments.rate, arguments.seconds)
        if arguments.soak_minutes:
            _soak(portal, arguments.soak_minutes)


def _measure(
    portal: Loaded, plain: Latencies, plain_upload: float, rate: float, seconds: float
) -> None:
    mixed = [
        "/datasets?limit=20",
        f"/datasets/{portal.awaiting[1]}",
        f"/distillations/{portal.distillation}",
        "/distillations?limit=20",
        "/session",
    ]

    def reading(paths: list[str]) -> Latencies:
        return asyncio.run(read(portal.url, portal.token, paths, rate=rate, seconds=seconds))

    _row(f"{rate:g} reads a second, mixed", plain, reading(mixed))
    _row(f"{rate:g} first pages of all datasets a second", plain, reading(["/datasets?limit=50"]))

    async def watched() -> tuple[int, Latencies]:
        events = f"/distillations/{portal.distillation}/events"
        following = asyncio.create_task(
            follow(portal.url, portal.viewers, events, each=VIEWERS_OF_TOKEN, seconds=seconds + 5)
        )
        await asyncio.sleep(3)
        found = await read(portal.url, portal.token, mixed, rate=rate, seconds=seconds)
        return await following, found

    viewers, found = asyncio.run(watched())
    _row(f"the same, beside {viewers} viewers of one job", plain, found)
    paths = [f"/datasets/{one}/archive" for one in portal.awaiting]
    sent = asyncio.run(upload(portal.url, portal.token, paths, UPLOAD_BYTES))
    load = f"{UPLOADS} uploads of {UPLOAD_BYTES // MEBIBYTE} MiB at once"
    kept_nowhere, on_disc = plain_upload / MEBIBYTE, sent / MEBIBYTE
    print(f"| {load} | {kept_nowhere:.0f} MiB/s, kept nowhere | {on_disc:.0f} MiB/s, on disc |")
    print(
        f"| memory of the portal after that | | {resident_bytes(portal.pid) / MEBIBYTE:.0f} MiB |"
    )


def _row(name: str, plain: Latencies, found: Latencies) -> None:
    print(f"| {name} | {_words(plain)} | {_words(found)} |", flush=True)


def _words(found: Latencies) -> str:
    failed = f", {found.failed} failed" if found.failed else ""
    return f"p50 {found.quantile(50):.1f}, p95 {found.quantile(95):.1f} ms{failed}"


def _soak(portal: Loaded, minutes: float) -> None:
    """Read for so long, and say what memory was taken after each tenth of it."""
    taken = []
    for _ in range(10):
        paths = ["/datasets?limit=50", f"/distillations/{portal.distillation}", "/notifications"]
        asyncio.run(read(portal.url, portal.token, paths, rate=SOAK_RATE, seconds=6 * minutes))
        taken.append(f"{resident_bytes(portal.pid) / MEBIBYTE:.0f}")
    load = f"memory over {minutes:g} minutes of {SOAK_RATE} reads a second"
    print(f"| {load} | | {', '.join(taken)} MiB |")


if __name__ == "__main__":
    main()

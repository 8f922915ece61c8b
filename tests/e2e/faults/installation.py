"""An installation to break: a service, and its rows and objects as seen from outside."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import pytest
import valkey
from sqlalchemy import select

from app.client import PortalClient, Retries
from app.core.db import Database
from app.core.queue import CeleryQueue, Task, celery_app
from app.core.security import Role
from app.core.settings import Settings
from app.core.storage import ObjectInfo, Storage
from app.core.vault import SECRET_FILE, Vault
from app.models import Distillation, Teacher
from app.organisations import service as organisations
from tests.fixtures.database import migrate
from tests.fixtures.portal import add_token
from tests.fixtures.ports import free_ports
from tests.fixtures.service import Service, start_service

PATIENT = Retries(attempts=8)
"""A client that waits half a minute while the service is started again."""
SEED = "5eed5eed5eed5eed5eed5eed5eed5eed"
INTAKE_KEY = "1a2b" * 16
REPEATABLE = {
    "sqlite": [
        f"CREATE TRIGGER repeatable_{table} AFTER INSERT ON {table} BEGIN "
        f"UPDATE {table} SET private_seed = '{SEED}' WHERE id = NEW.id; END"
        for table in ("distillation", "trajectory_set")
    ],
    "postgresql": [
        "CREATE FUNCTION repeatable() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN NEW.private_seed := '{SEED}'; RETURN NEW; END $$",
        *(
            f"CREATE TRIGGER repeatable BEFORE INSERT ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION repeatable()"
            for table in ("distillation", "trajectory_set")
        ),
    ],
}
"""What a run draws from is secret and its own; here it is the same for all, so that two can be
compared bit by bit."""


DISCS = """
set -e
mount -t tmpfs -o size=128m tmpfs "$DATA" || exit 77
cp -a "$BASE/." "$DATA"
for folder in objects scratch broker logs; do
    mkdir -p "$DATA/$folder"
    mount -t tmpfs -o size=512m tmpfs "$DATA/$folder"
done
chmod -R go= "$DATA"
exec "$@"
"""
"""A user namespace needs no root; where it is forbidden, mounting ends with 77."""


COPY = """
import sqlite3, sys
source, copy = map(sqlite3.connect, sys.argv[1:])
source.backup(copy)
"""
"""SQLite follows the links of a path, and so would not look into another mount namespace."""


def with_own_discs(folder: Path, base: Path) -> list[str]:
    """A command that gives each part of the data folder a small disc, filled from another one."""
    if shutil.which("unshare") is None:
        pytest.skip("small discs need unshare")
    command = ["unshare", "--map-root-user", "--mount", "env", f"DATA={folder}", f"BASE={base}"]
    tried = subprocess.run(
        [*command[:3], "sh", "-c", f"mount -t tmpfs tmpfs '{base}'"], capture_output=True
    )
    if tried.returncode != 0:
        pytest.skip(f"no mounts here: {tried.stderr.decode()}")
    return [*command, "sh", "-c", DISCS, "sh"]


class SeenStorage(Storage):
    """Objects in a folder of another mount namespace, which obstore does not find its way into."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        for path in (self._folder / prefix).rglob("*"):
            if path.is_file() and "#" not in path.name:
                key = str(path.relative_to(self._folder))
                yield ObjectInfo(key=key, size=path.stat().st_size, etag="")

    def exists(self, key: str) -> bool:
        return (self._folder / key).is_file()


class Installation:
    """A service on a folder, with an organisation and its steward.

    Args:
        folder: Its data folder, which is not there yet.
        migrated_sqlite: An empty database of today's schema.
        environment: Settings of the service.
        own_discs: Whether each part of the folder is on a small disc of its own.
    """

    def __init__(
        self,
        folder: Path,
        migrated_sqlite: Path,
        *,
        environment: Mapping[str, str] | None = None,
        own_discs: bool = False,
    ) -> None:
        self.folder = folder
        self._environment = dict(environment or {})
        [self._port] = free_ports(1)
        folder.mkdir(mode=0o700)
        self._within: Sequence[str] = ()
        if own_discs:
            base = folder.with_name("base")
            base.mkdir(mode=0o700)
            self._within = with_own_discs(folder, base)
        urls = {
            name.removeprefix("EXCHANGE_").lower(): value
            for name, value in self._environment.items()
            if name in ("EXCHANGE_DATABASE_URL", "EXCHANGE_STORAGE_URL")
        }
        self.settings = Settings(_env_file=None, data_dir=folder, **urls)
        self.token = self._set_up(migrated_sqlite)
        if own_discs:
            shutil.copytree(folder, base, dirs_exist_ok=True)
        self.start()

    def _set_up(self, migrated_sqlite: Path) -> str:
        database = Database(self.settings.database_url)
        migrate(database, migrated_sqlite)
        with database.transaction() as session:
            hospital = organisations.create(session, Vault.of(self.settings), "Hospital")
            hospital.intake_key = INTAKE_KEY
            token = add_token(session, hospital.id, Role.STEWARD)
        with database.engine.begin() as connection:
            for statement in REPEATABLE[database.engine.dialect.name]:
                connection.exec_driver_sql(statement)
        database.close()
        for file in self.folder.glob("exchange.db*"):
            file.chmod(0o600)
        return token

    def start(self) -> None:
        """Start it, or start it again where it was."""
        self.__dict__.pop("seen", None)
        self.service: Service = start_service(
            self.folder, port=self._port, within=self._within, **self._environment
        )

    def close(self) -> None:
        self.service.stop()

    @cached_property
    def seen(self) -> Path:
        """The data folder as the service sees it, should that be mounted for it alone."""
        if not self._within:
            return self.folder
        return Path(f"/proc/{self.service.process.pid}/root{self.folder}")

    @property
    def seen_settings(self) -> Settings:
        """Its settings, with the folder as it is seen from here."""
        return self.settings.model_copy(update={"data_dir": self.seen})

    @contextmanager
    def opened(self) -> Iterator[tuple[Database, Storage]]:
        """Its rows and its objects."""
        if self._within:
            copy = self.folder.with_name("copy.db")
            copy.unlink(missing_ok=True)
            self.inside(sys.executable, "-c", COPY, str(self.folder / "exchange.db"), str(copy))
            copy.chmod(0o600)
            url, storage = f"sqlite:///{copy}", SeenStorage(self.seen / "objects")
        else:
            url, storage = self.settings.database_url, Storage(self.settings.storage_url)
        database = Database(url)
        try:
            yield database, storage
        finally:
            database.close()

    def inside(self, *command: str) -> None:
        """Run a command that sees the folder as the service does."""
        pid = str(self.service.process.pid)
        enter = ["nsenter", "--target", pid, "--user", "--mount", "--preserve-credentials"]
        subprocess.run([*enter, *command], check=True, capture_output=True)

    @contextmanager
    def portal(self) -> Iterator[PortalClient]:
        with PortalClient(self.service.url, self.token, retries=PATIENT) as client:
            yield client

    @property
    def secrets(self) -> list[str]:
        """What no log may hold."""
        return [self.token, SEED, INTAKE_KEY, (self.seen / SECRET_FILE).read_text().strip()]

    def _environment_of_workers(self) -> dict[str, str]:
        pid = self.service.pid_of("worker --queues gpu")
        lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
        return dict(line.split("=", 1) for line in lines if "=" in line)

    @property
    def broker_url(self) -> str:
        return self._environment_of_workers()["EXCHANGE_BROKER_URL"]

    @contextmanager
    def broker(self) -> Iterator[valkey.Valkey]:
        path = self.broker_url.removeprefix("redis+socket://")
        with valkey.Valkey(unix_socket_path=path) as client:
            yield client

    def send_all_of(self, dataset_id: str, distillation_id: str, chance: random.Random) -> None:
        """Send each message of a job three times, in any order."""
        messages = [(Task.CHECK_DATASET, dataset_id)]
        if distillation_id:
            steps = (Task.START_DISTILLATION, Task.DISTILL, Task.EVALUATE, Task.AUDIT, Task.PACKAGE)
            messages += [(step, distillation_id) for step in steps]
            with self.opened() as (database, _), database.reading() as session:
                row = session.get_one(Distillation, distillation_id)
                teachers = session.scalars(
                    select(Teacher.id).where(Teacher.trajectory_set_id == row.trajectory_set_id)
                ).all()
            messages += [(Task.RECORD_TRAJECTORY, teacher) for teacher in teachers]
        messages = [message for message in messages if message[1]] * 3
        chance.shuffle(messages)
        self._send(messages)

    def _send(self, messages: Sequence[tuple[Task, str]]) -> None:
        settings = self.settings.model_copy(update={"broker_url": self.broker_url})
        queue = CeleryQueue(celery_app(settings))
        for task, row_id in messages:
            queue.send(task, row_id)
        queue.close()

    @contextmanager
    def another_worker(self, queues: str, **environment: str) -> Iterator[None]:
        """A worker beside those of the service, in their environment."""
        with (
            (self.folder / "logs" / "worker-beside.log").open("ab") as log,
            subprocess.Popen(
                [sys.executable, "-P", "-m", "worker", "--queues", queues],
                env=self._environment_of_workers() | environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, 9)

    def log_sizes(self) -> dict[str, int]:
        return {file.name: file.stat().st_size for file in self._logs()}

    def logged_since(self, sizes: Mapping[str, int]) -> dict[str, str]:
        """What each process has written since."""
        return {
            file.name: file.read_bytes()[sizes.get(file.name, 0) :].decode()
            for file in self._logs()
        }

    def _logs(self) -> list[Path]:
        return sorted((self.seen / "logs").glob("*.log"))

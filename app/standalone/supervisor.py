"""Keeps a few child processes running, and leaves none behind.

The supervisor is one thread. It starts every child itself, because the kernel's parent-death signal
(see `app.standalone.parent_death`) follows the *thread* that started a process, not its process.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PARENT_DEATH = Path(__file__).with_name("parent_death.py")
POLL_SECONDS = 0.1
BACKOFF_SECONDS = (0.2, 1.0, 2.0, 5.0, 10.0)
"""The pause before each new start of a child that keeps dying young; after the last it gives up."""
YOUNG_SECONDS = 5.0
"""A child that lived longer than this has started well: its next death counts as a first one."""
LARGEST_LOG = 8 * 1024 * 1024
"""Bytes. A child's log and the one before it take twice as much at most."""


class SupervisorError(RuntimeError):
    """A child cannot be kept running. The message names it and its log."""


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """One program to keep running."""

    name: str
    """Shown to people, and the name of its log file."""
    command: Sequence[str]
    """Absolute path of the program, then its arguments."""
    environment: Mapping[str, str]
    order: int
    """Children of a higher order start after those of a lower one are up, and stop before them."""
    is_up: Callable[[], bool] = lambda: True
    """True once it answers; called only while its process lives."""
    start_seconds: float = 60.0
    """Seconds until it has to be up."""
    stop_seconds: float = 5.0
    """Seconds after SIGTERM before it is killed."""
    inherit: tuple[int, ...] = ()
    """File descriptors that it gets."""


@dataclass
class _Child:
    spec: ChildSpec
    log_path: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    young_deaths: int = 0
    start_again_at: float | None = None
    log_offset: int = field(default=0, init=False)

    def start(self) -> None:
        self.limit_log()
        with self.log_path.open("ab") as log:
            self.log_offset = log.tell()
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    str(PARENT_DEATH),
                    str(os.getpid()),
                    *self.spec.command,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.spec.environment),
                pass_fds=self.spec.inherit,
                # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which
                # then stops the children in order; and its forks can be killed as one group.
                start_new_session=True,
            )
        self.started_at = time.monotonic()
        self.start_again_at = None

    def limit_log(self) -> None:
        """Begin the log anew once it is large, also while the child writes to it.

        The child keeps its descriptor, so the file is copied and emptied, not renamed. What it
        writes between the two is lost; on a full disc so is the copy.
        """
        if not self.log_path.exists() or self.log_path.stat().st_size <= LARGEST_LOG:
            return
        old = self.log_path.with_suffix(".old.log")
        try:
            shutil.copyfile(self.log_path, old)
        except OSError:
            old.unlink(missing_ok=True)
        os.truncate(self.log_path, 0)
        self.log_offset = 0

    @property
    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        if self.lives and self.process is not None:
            self.process.send_signal(number)

    def kill_group(self) -> None:
        """Kill what is left of it, its forks included, and reap it."""
        if self.process is None:
            return
        # macOS says "not permitted" of a group that holds only zombies.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None  # its number may soon be another's: never signal it again

    def last_words(self, lines: int = 5) -> str:
        """The end of what it wrote to its log since its last start."""
        with self.log_path.open("rb") as log:
            log.seek(max(self.log_offset, self.log_path.stat().st_size - 8192))
            text = log.read().decode(errors="replace")
        return "\n".join("    " + line for line in text.splitlines()[-lines:])


class Supervisor:
    """Starts children in order, starts again those that die, and stops them all.

    Args:
        specs: The children to run.
        log_dir: Folder for `<name>.log` of each child.
        report: Takes one short line for the terminal at a time.
    """

    def __init__(
        self, specs: Sequence[ChildSpec], *, log_dir: Path, report: Callable[[str], None]
    ) -> None:
        log_dir.mkdir(parents=True, exist_ok=True)
        self._children = [
            _Child(spec, log_dir / f"{spec.name}.log")
            for spec in sorted(specs, key=lambda spec: spec.order)
        ]
        self._report = report
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._up = threading.Event()
        self._failure: SupervisorError | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start every child; returns when all are up.

        Raises:
            SupervisorError: One does not come up. All are stopped by then.
        """
        self._thread.start()
        while self._thread.is_alive() and not self._up.wait(POLL_SECONDS):
            pass
        self.check()

    def check(self) -> None:
        """Raise if the supervisor had to give up."""
        if self._failure is not None:
            raise self._failure

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the supervisor has ended; whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def request_stop(self) -> None:
        """Begin to stop; asked a second time, kill. Safe to call from a signal handler."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def stop(self) -> None:
        """Stop every child and wait for the last."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def pids(self) -> dict[str, int]:
        """Process id of each child that lives. It leads a process group of the same number."""
        return {
            child.spec.name: child.process.pid
            for child in self._children
            if child.process is not None and child.process.poll() is None
        }

    def _run(self) -> None:
        try:
            self._start_all()
            self._up.set()
            while not self._stop.wait(POLL_SECONDS):
                for child in self._children:
                    self._restart_if_dead(child)
                    child.limit_log()
        except SupervisorError as failure:
            self._failure = failure
        finally:
            self._stop_all()

    def _start_all(self) -> None:
        """Start all, waiting for those of each order to be up before the next."""
        for order in sorted({child.spec.order for child in self._children}):
            group = [child for child in self._children if child.spec.order == order]
            for child in group:
                child.start()
            for child in group:
                self._await(child)
                if self._stop.is_set():
                    return

    def _await(self, child: _Child) -> None:
        deadline = time.monotonic() + child.spec.start_seconds
        while not (child.lives and child.spec.is_up()):
            for started in self._children[: self._children.index(child) + 1]:
                self._restart_if_dead(started)
            if time.monotonic() > deadline:
                raise SupervisorError(
                    f"The {child.spec.name} did not answer within {child.spec.start_seconds:.0f} "
                    f"seconds of its start. Its log is {child.log_path}; it ends:\n"
                    f"{child.last_words()}"
                )
            if self._stop.wait(POLL_SECONDS):
                return
        self._report(f"{child.spec.name} is up")

    def _restart_if_dead(self, child: _Child) -> None:
        """Notice its death, and start it again when the time has come."""
        if child.lives:
            return
        now = time.monotonic()
        if child.process is not None:
            how = _how_it_ended(child.process.returncode)
            child.kill_group()  # its forks must not run on beside the next one
            if now - child.started_at > YOUNG_SECONDS:
                child.young_deaths = 0
            if child.young_deaths >= len(BACKOFF_SECONDS):
                raise SupervisorError(
                    f"The {child.spec.name} ended {child.young_deaths + 1} times right after its "
                    f"start (last: {how}), so everything was stopped. What was stored is kept. "
                    f"Its log is {child.log_path}; it ends:\n{child.last_words()}"
                )
            pause = BACKOFF_SECONDS[child.young_deaths]
            child.young_deaths += 1
            child.start_again_at = now + pause
            self._report(f"{child.spec.name} ended ({how}); it is started again in {pause:g} s")
        elif child.start_again_at is not None and now >= child.start_again_at:
            child.start()

    def _stop_all(self) -> None:
        for order in sorted({child.spec.order for child in self._children}, reverse=True):
            group = [child for child in self._children if child.spec.order == order]
            asked_at = time.monotonic()
            for child in group:
                child.send(signal.SIGTERM)
            for child in group:
                deadline = asked_at + child.spec.stop_seconds
                while child.lives and time.monotonic() < deadline and not self._hurry.is_set():
                    time.sleep(POLL_SECONDS / 4)
                child.kill_group()


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"

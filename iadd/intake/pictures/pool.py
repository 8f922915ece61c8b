"""Decodes untrusted pictures in child processes with limits.

A child that is killed, hangs, crashes or runs out of memory costs the one file that it was reading.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from iadd.intake.errors import FileError
from iadd.intake.pictures import protocol
from iadd.intake.pictures.budget import Budget, BudgetClosed
from iadd.intake.pictures.picture import DecodeLimits, Picture
from iadd.intake.pictures.protocol import ProtocolError

_START_SECONDS = 60.0
_WATCH_SECONDS = 0.2
_ROOT = Path(__file__).resolve().parents[3]
# Threads of numeric libraries would take address space and win nothing. A fixed threshold makes
# the allocator hand large blocks back to the system.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 22),
    "PYTHONPATH": str(_ROOT),
    "PYTHONDONTWRITEBYTECODE": "1",
}
# What the system needs to start a process; secrets in the environment stay behind.
_INHERITED = ("SYSTEMROOT", "PATH", "LD_LIBRARY_PATH", "TEMP", "TMP")


@dataclass(frozen=True)
class _Task:
    future: Future[Picture]
    data: bytes
    suffix: bytes


class DecoderPool:
    """Decodes pictures in `workers` children; use it in a ``with`` statement."""

    def __init__(
        self,
        image_size: int,
        *,
        workers: int,
        patient_key: bytes,
        limits: DecodeLimits = DecodeLimits(),  # noqa: B008 - frozen
    ) -> None:
        """Remember the settings; children start with the ``with`` block.

        Args:
            image_size: S, the side of the pictures returned.
            workers: number of children.
            patient_key: key of the hashes that stand for identifiers in DICOM headers.
            limits: of time and memory.
        """
        self._limits = limits
        self._image_size = image_size
        self._settings = protocol.Settings(
            image_size, patient_key, limits.cpu_seconds, limits.address_space
        )
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._waiting = Budget(limits.waiting_bytes)
        self._decoded = Budget(limits.decoded_bytes)
        self._children = [_Child(self._settings) for _ in range(workers)]
        self._closing, self._closed = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._serve, args=(child,), name="decode", daemon=True)
            for child in self._children
        ]
        self._watcher = threading.Thread(target=self._watch, name="decode-watch", daemon=True)

    def __enter__(self) -> DecoderPool:
        for thread in (*self._threads, self._watcher):
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._waiting.close()
        self._decoded.close()
        for child in self._children:
            self._tasks.put(None)
            child.end()
        for thread in self._threads:
            thread.join()
        self._closed.set()
        self._watcher.join()

    def submit(self, data: bytes, name: str) -> Future[Picture]:
        """Decode one file; waits while too many bytes wait already.

        Args:
            data: the whole file.
            name: its name, of which the end helps to word a refusal.

        Returns:
            A future that gives the picture or raises `FileError`: ``decoder_failed`` when the
            child died or took too long, else what `read_picture` raises.
        """
        future: Future[Picture] = Future()
        size = len(data) + 2 * self._image_size**2
        self._waiting.take(size)
        future.add_done_callback(lambda _: self._waiting.give_back(size))
        self._tasks.put(_Task(future, data, _suffix(name)))
        return future

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The children that run now."""
        return tuple(pid for child in self._children if (pid := child.pid) is not None)

    def _serve(self, child: _Child) -> None:
        while task := self._tasks.get():
            future = task.future
            if self._closing.is_set():
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                picture = self._decode(child, task)
            except FileError as error:
                future.set_exception(error)
            except BudgetClosed:
                future.set_exception(_failed("The reading was called off."))
            except Exception as error:  # noqa: BLE001 - the future carries it to who asked
                future.set_exception(error)
            else:
                future.set_result(picture)
            del task, future
        child.end()

    def _decode(self, child: _Child, task: _Task) -> Picture:
        child.start()
        try:
            return self._asked(child, task)
        except ProtocolError as error:
            child.end()
            if child.overdue:
                raise _failed(
                    f"Decoding it took more than {self._limits.seconds:g} seconds; export it again."
                ) from error
            raise _failed(
                "The decoder ended while reading it: it is damaged, or takes too much memory "
                "or time; export it again."
            ) from error

    def _asked(self, child: _Child, task: _Task) -> Picture:
        """Send a file to a child, lend it the memory that it wants, and return its picture."""
        child.watch(self._limits.seconds)
        child.send(protocol.FILE, [task.data], note=task.suffix)
        answer = child.receive(self._most_bytes)
        if answer.letter == protocol.WANT:
            child.watch(None)
            with self._decoded.taken(protocol.unpack_length(answer.data)):
                child.watch(self._limits.seconds)
                child.send(protocol.GRANT)
                answer = child.receive(self._most_bytes)
        child.watch(None)
        if answer.letter == protocol.PICTURE:
            return protocol.unpack_picture(answer.data, self._image_size)
        if answer.letter == protocol.REFUSAL:
            raise protocol.unpack_refusal(answer.data)
        raise ProtocolError("an unknown message")

    @property
    def _most_bytes(self) -> int:
        return 2 * self._image_size**2 + (1 << 17)

    def _watch(self) -> None:
        while not self._closed.wait(_WATCH_SECONDS):
            for child in self._children:
                child.end_if_overdue()


class _Child:
    """One process that decodes; started when needed, and again when it has died."""

    def __init__(self, settings: protocol.Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline: float | None = None
        self.overdue = False

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process and process.poll() is None else None

    def start(self) -> None:
        """Start the process unless it runs.

        Raises:
            RuntimeError: when it does not start.
        """
        self.overdue = False
        if self.pid is not None:
            return
        self.end()
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "iadd.intake.pictures.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment, **_ENVIRONMENT},
        )
        try:
            self.watch(_START_SECONDS)
            self.send(protocol.SETTINGS, [self._settings.to_bytes()])
            self.receive(0)
            self.watch(None)
        except ProtocolError as error:
            self.end()
            raise RuntimeError("The decoder of pictures does not start.") from error

    def watch(self, seconds: float | None) -> None:
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def end_if_overdue(self) -> None:
        deadline, process = self._deadline, self._process
        if deadline is not None and process and time.monotonic() > deadline:
            self.overdue = True
            process.kill()

    def send(self, letter: bytes, pieces: Sequence[bytes] = (), *, note: bytes = b"") -> None:
        protocol.send(self._pipe("stdin"), letter, pieces, note=note)

    def receive(self, most: int) -> protocol.Message:
        return protocol.receive(self._pipe("stdout"), most=most)

    def end(self) -> None:
        """Kill the process; it may be called from any thread, and twice."""
        process, self._process, self._deadline = self._process, None, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()

    def _pipe(self, name: str) -> BinaryIO:
        pipe: BinaryIO | None = getattr(self._process, name, None)
        if pipe is None:
            raise ProtocolError("the child was ended")
        return pipe


def _failed(reason: str) -> FileError:
    return FileError("decoder_failed", reason)


def _suffix(name: str) -> bytes:
    """Return the last two extensions of a name; the name itself stays in this process."""
    extensions = name.replace("\\", "/").rpartition("/")[2].lower().split(".")[1:]
    suffix = "".join(f".{extension}" for extension in extensions[-2:])
    return suffix.encode("ascii", "ignore")[-protocol.LONGEST_NOTE :]

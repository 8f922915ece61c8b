"""Runs `python -m iadd.intake` beside a worker, relays its progress, and ends it with the check.

An archive is read in a process of its own: its memory is bounded without torch, and whatever brings
it down costs one check.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from app.core.types import JsonObject
from app.standalone import parent_death
from iadd.runtime.progress import Progress

SECONDS_BETWEEN_CHECKS = 0.5


class ReaderDiedError(RuntimeError):
    """The reading process ended without an outcome."""


def run_reader(
    request: JsonObject, *, on_progress: Callable[[Progress], None], check: Callable[[], None]
) -> JsonObject:
    """Answer one request; returns the outcome.

    Args:
        request: What `iadd.intake.__main__` reads.
        on_progress: Called with each report; may raise to stop.
        check: Called between reports; may raise to stop.

    Raises:
        ReaderDiedError: The process ended abruptly.
        OSError: The disc is full, or the like.
    """
    # The launcher ties it to this worker, should that be killed.
    launcher = [sys.executable, "-I", "-S", str(Path(parent_death.__file__)), str(os.getpid())]
    process = subprocess.Popen(
        [*launcher, sys.executable, "-P", "-m", "iadd.intake"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True).start()
    try:
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.close()
        while True:
            check()
            try:
                line = lines.get(timeout=SECONDS_BETWEEN_CHECKS)
            except queue.Empty:
                continue
            if line is None:
                raise ReaderDiedError(f"reading ended with exit code {process.wait()}")
            message = json.loads(line)
            if "error" in message:
                number = message["error"] or 0
                raise OSError(number, os.strerror(number))
            if "outcome" in message:
                outcome: JsonObject = message["outcome"]
                return outcome
            on_progress(Progress(**message["progress"]))
    except BrokenPipeError:
        raise ReaderDiedError(f"reading ended with exit code {process.wait()}") from None
    finally:
        process.kill()
        process.wait()


def _read_lines(stream: IO[str], lines: "queue.Queue[str | None]") -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)

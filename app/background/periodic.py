"""A thread that does something again and again for as long as a context is open."""

import logging
import threading
from collections.abc import Callable
from typing import Self

logger = logging.getLogger(__name__)


class Rounds:
    """Calls `work` every so many seconds. A round that fails is told, and the next one is tried.

    Args:
        name: Of the thread.
        seconds: Between two rounds.
        work: One round.
        leave_seconds: How long a round may take to end when the context closes.
    """

    def __init__(
        self, name: str, seconds: float, work: Callable[[], object], *, leave_seconds: float
    ) -> None:
        self._name = name
        self._seconds = seconds
        self._work = work
        self._leave_seconds = leave_seconds
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._thread.join(self._leave_seconds)

    def _run(self) -> None:
        while not self.stopping.wait(self._seconds):
            try:
                self._work()
            except Exception:
                logger.exception("%s: a round failed, and is tried again", self._name)

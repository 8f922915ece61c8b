"""Runs periodic tasks while a context is open: one thread keeps time, each round has its own."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from app.core.outages import is_outage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PeriodicTask:
    """Work to repeat.

    Attributes:
        name: For threads and the log.
        seconds: From one round to the next; a round that lasts longer delays only its own next one.
        run: One round. It gets an event that is set when the context closes. Returning False says
            that a part of it failed.
        leave_seconds: Seconds that a round may take to end then; None: no limit.
    """

    name: str
    seconds: float
    run: Callable[[threading.Event], object]
    leave_seconds: float | None = None


class Periodic:
    """Runs tasks side by side: a slow or failing round holds up no other task.

    Args:
        tasks: What to repeat.
        on_round: Called with a task's name at the start, and when a round of it ended well.
    """

    def __init__(
        self, *tasks: PeriodicTask, on_round: Callable[[str], object] = lambda name: None
    ) -> None:
        now = time.monotonic()
        self._on_round = on_round
        self._due_at = {task: now + task.seconds for task in tasks}
        self._rounds: dict[PeriodicTask, threading.Thread] = {}
        self._stopping = threading.Event()
        self._timer = threading.Thread(target=self._keep_time, name="periodic", daemon=True)

    def __enter__(self) -> Self:
        for task in self._due_at:
            self._on_round(task.name)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._timer.join()
        for task, thread in self._rounds.items():
            thread.join(task.leave_seconds)

    def _keep_time(self) -> None:
        while not self._stopping.wait(max(0, min(self._due_at.values()) - time.monotonic())):
            now = time.monotonic()
            for task, due_at in self._due_at.items():
                if due_at <= now:
                    self._due_at[task] = now + task.seconds
                    self._begin(task)

    def _begin(self, task: PeriodicTask) -> None:
        if task in self._rounds and self._rounds[task].is_alive():
            return
        thread = threading.Thread(target=self._run, args=(task,), name=task.name, daemon=True)
        self._rounds[task] = thread
        thread.start()

    def _run(self, task: PeriodicTask) -> None:
        try:
            if task.run(self._stopping) is not False:
                self._on_round(task.name)
        except Exception as error:
            if is_outage(error):
                logger.warning("%s: a round is tried again: %s", task.name, type(error).__name__)
            else:
                logger.exception("%s: a round failed, and is tried again", task.name)

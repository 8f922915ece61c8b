"""Progress of several steps: bars on a terminal, occasional lines elsewhere."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

SECONDS_BETWEEN_LINES = 10.0


class StepDisplay(Protocol):
    def show(
        self,
        step: str,
        done: float,
        total: float,
        unit: str,
        *,
        left: float | None = None,
        rate: float | None = None,
    ) -> None:
        """Show the progress of a step.

        Args:
            step: Its name.
            done: Amount finished.
            total: Whole amount.
            unit: Unit of both.
            left: Seconds until the end of all steps.
            rate: Amount per second.
        """

    def finish(self, step: str) -> None:
        """The step is over, whatever was shown of it so far."""


@contextmanager
def step_display(console: Console) -> Iterator[StepDisplay]:
    """Bars on a terminal, else lines that a log can hold."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    with Progress(
        TextColumn("{task.description:<11}"),
        BarColumn(bar_width=32),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[count]:<24}"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[left]}", style="dim"),
        console=console,
    ) as progress:
        yield _Bars(progress)


class TransferRate:
    """Rate over the last seconds; what was there before does not count."""

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._seen: deque[tuple[float, float]] = deque()

    def after(self, done: float) -> float | None:
        """Per second, now that so much is done; None while that cannot be said."""
        now = time.monotonic()
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()  # a line broke, and some of it is sent again
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > self._seconds:
            self._seen.popleft()
        since, begun = self._seen[0]
        return (done - begun) / (now - since) if now - since > 1 and done > begun else None


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(
        self,
        step: str,
        done: float,
        total: float,
        unit: str,
        *,
        left: float | None = None,
        rate: float | None = None,
    ) -> None:
        if step not in self._tasks:
            # What an earlier run has done is no part of this one's rate.
            self._tasks[step] = self._progress.add_task(
                step, total=total, completed=int(done), count="", left=""
            )
        self._progress.update(
            self._tasks[step],
            completed=done,
            total=total,
            count=_count(done, total, unit) + (f", {_rate(rate, unit)}" if rate else ""),
            left=_whole_job(left),
        )

    def finish(self, step: str) -> None:
        if step not in self._tasks:
            self.show(step, 1, 1, "")
        task = self._tasks[step]
        total = self._progress.tasks[self._progress.task_ids.index(task)].total
        self._progress.update(task, completed=total, left="")


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._began: dict[str, float] = {}
        self._finished: set[str] = set()
        self._printed_at = 0.0
        self._printed_last = ""

    def show(
        self,
        step: str,
        done: float,
        total: float,
        unit: str,
        *,
        left: float | None = None,
        rate: float | None = None,
    ) -> None:
        now = time.monotonic()
        first = step not in self._began
        self._began.setdefault(step, now)
        count = _count(done, total, unit)
        news = first or (
            count != self._printed_last and now > self._printed_at + SECONDS_BETWEEN_LINES
        )
        if news and step not in self._finished:
            self._printed_at, self._printed_last = now, count
            said = [count, _whole_job(left)]
            if rate:
                said += [_rate(rate, unit), f"about {duration((total - done) / rate)} left"]
            self._print(step, ", ".join(words for words in said if words))

    def finish(self, step: str) -> None:
        if step not in self._finished:
            self._finished.add(step)
            now = time.monotonic()
            self._print(step, f"done in {duration(now - self._began.get(step, now))}")

    def _print(self, step: str, words: str) -> None:
        self._console.print(f"{step}: {words}" if words else step, soft_wrap=True, markup=False)


def _count(done: float, total: float, unit: str) -> str:
    if not unit:
        return ""
    if unit == "bytes":
        return f"{size(done)} of {size(total)}"
    return f"{done:.0f} of {total:.0f} {unit}"


def _rate(rate: float, unit: str) -> str:
    return f"{size(rate) if unit == 'bytes' else f'{rate:.1f} {unit}'}/s"


def _whole_job(seconds: float | None) -> str:
    return "" if seconds is None else f"whole job: about {duration(seconds)} left"


def duration(seconds: float) -> str:
    """Format seconds for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Format a number of bytes for people."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return (
                f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
            )
        count /= 1000
    return f"{count:.1f} GB"

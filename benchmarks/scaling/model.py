"""A queueing model of workers and organisations: jobs arrive, wait for their turn, and are served.

The turns are those of `app.scheduling.turns`: the order of its `Standing` decides here as there.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.scheduling.turns import REMEMBERED, Standing

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, order=True)
class Arrival:
    """A task.

    Attributes:
        at: Seconds since the beginning.
        organisation: Whose it is.
        seconds: How long a worker has it.
    """

    at: float
    organisation: str
    seconds: float


@dataclass(frozen=True)
class Served:
    """A task that has ended.

    Attributes:
        arrival: The task.
        begun: When a worker took it, in seconds since the beginning.
    """

    arrival: Arrival
    begun: float

    @property
    def waited(self) -> float:
        return self.begun - self.arrival.at

    @property
    def ended(self) -> float:
        return self.begun + self.arrival.seconds


class _Hospital:
    """What waits, runs and was used of one organisation."""

    def __init__(self) -> None:
        self.waiting: deque[Arrival] = deque()
        self.held = 0
        self._used: deque[tuple[float, float]] = deque()

    def use(self, at: float, seconds: float) -> None:
        self._used.append((at, seconds))

    def used(self, now: float) -> float:
        while self._used and self._used[0][0] < now - REMEMBERED.total_seconds():
            self._used.popleft()
        return sum(seconds for _, seconds in self._used)


def simulate(
    arrivals: Sequence[Arrival], *, workers: int, overhead: float = 0.0, fair: bool = True
) -> list[Served]:
    """Serve all tasks, in the order in which they end.

    Args:
        arrivals: The tasks.
        workers: Processes that serve, one task each at a time.
        overhead: Seconds between two tasks of a worker: to find the turn and to claim the row.
        fair: By turns; else the task that waits longest goes first, whoever it belongs to.
    """
    coming = deque(sorted(arrivals))
    hospitals: defaultdict[str, _Hospital] = defaultdict(_Hospital)
    running: list[tuple[float, int, Served]] = []
    served: list[Served] = []
    free, now, count = workers, 0.0, 0
    while coming or running or any(one.waiting for one in hospitals.values()):
        while free and (organisation := _next(hospitals, now, fair=fair)) is not None:
            hospital = hospitals[organisation]
            task = Served(hospital.waiting.popleft(), now + overhead)
            hospital.held += 1
            free, count = free - 1, count + 1
            heapq.heappush(running, (task.ended, count, task))
        moments = [running[0][0]] if running else []
        moments += [coming[0].at] if coming else []
        now = min(moments)
        while coming and coming[0].at <= now:
            arrival = coming.popleft()
            hospitals[arrival.organisation].waiting.append(arrival)
        while running and running[0][0] <= now:
            task = heapq.heappop(running)[2]
            hospital = hospitals[task.arrival.organisation]
            hospital.held -= 1
            hospital.use(task.ended, task.arrival.seconds)
            free += 1
            served.append(task)
    return served


def _next(hospitals: dict[str, _Hospital], now: float, *, fair: bool) -> str | None:
    """Whose task a worker takes now."""
    standings = [
        Standing(
            organisation_id=name,
            held=one.held if fair else 0,
            used_seconds=one.used(now) if fair else 0.0,
            since=EPOCH + timedelta(seconds=one.waiting[0].at),
            waiting=len(one.waiting),
        )
        for name, one in hospitals.items()
        if one.waiting
    ]
    return min(standings, key=lambda one: one.order).organisation_id if standings else None

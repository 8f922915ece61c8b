"""The ledger of a dataset: every read of its private images, booked before it happens.

It belongs to the dataset and not to a run: new seeds, deleted runs and more teachers compose. It
only grows, and nothing in it says anything about the images or the noise.
"""

import fcntl
import json
import math
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, Self, get_args

from iadd.dp.accountant import Mechanism, epsilon_of

Kind = Literal["budgeted", "public", "fatal"]

INTERNAL = "internal: "
"""Begins the run of an exact read on which nothing depends that may be released."""


class BudgetExceededError(RuntimeError):
    """A read was refused, since it would spend more than the dataset's budget allows."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Event:
    """Reads of the private images.

    Attributes:
        kind: ``budgeted``: answers with noise, paid for by ε. ``public``: what is declared public,
            such as the classes' names. ``fatal``: answers without noise: whatever depends on them
            has no proof.
        purpose: What was read, in words.
        run: Name of what depends on the answer.
        mechanism: Noise of a budgeted read; None for other kinds.
        count: Number of reads.
        released: A noisy number that may be used again without another read, or None.
        at: Time of booking, ISO format, UTC.

    Raises:
        ValueError: When kind and mechanism do not go together, or the count is below 1.
    """

    kind: Kind
    purpose: str
    run: str
    mechanism: Mechanism | None = None
    count: int = 1
    released: float | None = None
    at: str = field(default_factory=_now)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind) or self.count < 1:
            raise ValueError("an event needs a known kind and a count of at least 1")
        if (self.kind == "budgeted") != (self.mechanism is not None):
            raise ValueError("a budgeted event has a mechanism, and no other has one")

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON types, which :meth:`from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote."""
        mechanism = document["mechanism"]
        return cls(
            **{**document, "mechanism": None if mechanism is None else Mechanism(**mechanism)}
        )


Admit = Callable[[Sequence[Event]], None]
"""Raises when the events of a store, the new one included, are not allowed."""


class LedgerStore(Protocol):
    """Keeps events; none is ever changed or removed."""

    def events(self) -> Sequence[Event]:
        """Return all events, the oldest first."""

    def append(self, event: Event, *, admit: Admit | None = None) -> None:
        """Add an event durably, unless `admit` raises; nobody else adds one in between."""


class MemoryLedgerStore:
    """Keeps events in memory, for tests and for a single answer that stands alone."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = threading.Lock()

    def events(self) -> Sequence[Event]:
        """Return all events, the oldest first."""
        return tuple(self._events)

    def append(self, event: Event, *, admit: Admit | None = None) -> None:
        """Add an event, unless `admit` raises."""
        with self._lock:
            if admit is not None:
                admit((*self._events, event))
            self._events.append(event)


class FileLedgerStore:
    """Keeps events in a file of JSON lines that its owner alone can read.

    An event is on the disk when :meth:`append` returns. A line that a crash cut short was never
    followed by its read, and is removed by the next append.

    Args:
        path: The file; made when the first event is added.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def events(self) -> Sequence[Event]:
        """Return all events, the oldest first.

        Raises:
            ValueError: When a line is damaged.
        """
        return _parse(self.path.read_bytes()) if self.path.exists() else ()

    def append(self, event: Event, *, admit: Admit | None = None) -> None:
        """Add an event and wait for the disk, unless `admit` raises."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            written = file.read()
            if admit is not None:
                admit((*_parse(written), event))
            file.truncate(written.rfind(b"\n") + 1)
            file.seek(0, os.SEEK_END)
            file.write(json.dumps(event.to_dict(), sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _parse(data: bytes) -> tuple[Event, ...]:
    whole = data[: data.rfind(b"\n") + 1]
    return tuple(Event.from_dict(json.loads(line)) for line in whole.splitlines())


@dataclass(frozen=True)
class Budget:
    """What a dataset may spend over all runs, ever.

    Attributes:
        epsilon: Largest ε.
        delta: At this δ.
    """

    epsilon: float
    delta: float


class Ledger:
    """Books reads of one dataset, and refuses those beyond its budget.

    Args:
        store: Keeps the events.
        budget: Limit over all runs; None books without a limit.
    """

    def __init__(self, store: LedgerStore, budget: Budget | None = None) -> None:
        self.store, self.budget = store, budget
        self._admitted: Counter[Mechanism] = Counter()

    def events(self) -> Sequence[Event]:
        """Return all events, the oldest first."""
        return self.store.events()

    def book(self, event: Event) -> None:
        """Add an event; only then may the read happen.

        Raises:
            BudgetExceededError: When the budget does not allow it. Nothing is booked.
        """
        # Without a budget everything is admitted, and nobody needs to read the events before.
        self.store.append(event, admit=None if self.budget is None else self._admit)

    def admit(self, planned: Mapping[Mechanism, int]) -> None:
        """Check a plan against the budget before its first read; nothing is booked.

        Raises:
            BudgetExceededError: When the budget does not allow the whole plan.
        """
        self._check(counts_of(self.events()) + Counter(planned))

    def epsilon(self, delta: float, *, run: str | None = None) -> float:
        """Compute the ε spent at a δ, by all runs or by one; infinite after no noise at all."""
        events = [event for event in self.events() if run is None or event.run == run]
        return epsilon_of(counts_of(events), delta)

    def _admit(self, events: Sequence[Event]) -> None:
        if events[-1].kind == "budgeted":
            self._check(counts_of(events))

    def _check(self, counts: Counter[Mechanism]) -> None:
        # What is part of an admitted plan needs no other computation.
        if self.budget is None or counts <= self._admitted:
            return
        spent = epsilon_of(counts, self.budget.delta)
        if spent > self.budget.epsilon or math.isnan(spent):
            raise BudgetExceededError(
                f"The dataset's budget is ε = {self.budget.epsilon:g} at δ = "
                f"{self.budget.delta:g}, and with this read it would have spent {spent:.3g}: "
                "nothing was read. Lower epsilon, or raise the dataset's budget."
            )
        self._admitted = counts


def counts_of(events: Sequence[Event]) -> Counter[Mechanism]:
    """Count how often each mechanism was used."""
    counts: Counter[Mechanism] = Counter()
    for event in events:
        if event.mechanism is not None:
            counts[event.mechanism] += event.count
    return counts

"""How long a unit of repeated work takes, from a few of them."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_BUDGET = 1.5
"""Seconds that a measurement may take after its warm-up, when a unit takes less."""

_MOST_UNITS = 40


@dataclass(frozen=True)
class Pace:
    """Seconds of a call: ``fixed + each · units``."""

    fixed: float
    each: float

    def seconds(self, units: float, calls: float = 1) -> float:
        """Seconds of so many units, done in so many calls."""
        return self.fixed * calls + self.each * units


def measure_pace(run: Callable[[int], object]) -> Pace:
    """Run a few units and tell the pace.

    Args:
        run: Does a number of units, at least one, and ends when they are done.
    """
    first = _seconds(run, 1)
    if first > 2 * _BUDGET:
        # A warm-up is small beside a unit of seconds, and another one would take as long.
        return Pace(0.0, first)
    once = _seconds(run, 1)
    more = max(2, min(_MOST_UNITS, math.ceil(_BUDGET / once)))
    each = max((_seconds(run, 1 + more) - once) / more, 0.0)
    return Pace(max(once - each, 0.0), each or once)


def _seconds(run: Callable[[int], object], units: int) -> float:
    start = time.perf_counter()
    run(units)
    return time.perf_counter() - start

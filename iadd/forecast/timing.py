"""How long a unit of repeated work takes, from a few of them."""

import math
import time
from collections.abc import Callable

from iadd.forecast.arithmetic import TimingFit

_BUDGET = 1.5
"""Seconds that a measurement may take after its warm-up, when a unit takes less."""

_LONGEST_WARM_UP = 20.0
"""Above, the first call counts: a warm-up takes a few seconds, and another call as long."""

_MOST_UNITS = 40


def fit_timing(run: Callable[[int], object]) -> TimingFit:
    """Time a few units, and separate what each takes from what every call takes.

    Args:
        run: Does a number of units, at least one, and ends when they are done.
    """
    first = _seconds(run, 1)
    if first > _LONGEST_WARM_UP:
        return TimingFit(0.0, first)
    once = _seconds(run, 1)
    if once > 2 * _BUDGET:
        # What a call takes by itself is small beside a unit of seconds.
        return TimingFit(0.0, once)
    more = max(2, min(_MOST_UNITS, math.ceil(_BUDGET / once)))
    each = max((_seconds(run, 1 + more) - once) / more, 0.0)
    return TimingFit(max(once - each, 0.0), each or once)


def _seconds(run: Callable[[int], object], units: int) -> float:
    start = time.perf_counter()
    run(units)
    return time.perf_counter() - start

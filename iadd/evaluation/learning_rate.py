"""Chooses a learning rate from a grid that grows while its best rate lies at an end."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from iadd.config import SETTINGS

MOST_EXTENSIONS = 3
"""Rates that are tried beyond the grid at most: a factor of about 30."""

STEP = 10**0.5
"""Factor between a rate at the end of the grid and the next one: half a decade, as in the presets'
grids."""

Reach = Callable[[Sequence[float]], Sequence[float]]
"""Maps learning rates to what networks reach with each; larger is better."""


@dataclass(frozen=True, kw_only=True)
class RateSearch:
    """The outcome of a search for a learning rate.

    Attributes:
        best: The rate chosen.
        tried: All rates that were tried, in ascending order.
        at_end: Whether the rate chosen is the smallest or the largest of them, so that a better one
            may lie beyond.
    """

    best: float
    tried: tuple[float, ...]
    at_end: bool

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON types."""
        return {**asdict(self), "tried": list(self.tried)}


def search_rates(
    grid: Sequence[float],
    reach: Reach,
    *,
    most_extensions: int = MOST_EXTENSIONS,
    on_extension: Callable[[], None] | None = None,
) -> RateSearch:
    """Try the rates of a grid, and go on beyond it while the best one lies at an end.

    A baseline whose best rate is the last one tried may have been stopped short of its figure, and
    whatever is compared with it gains. So the grid grows by steps of ``STEP``, within the range
    that ``baseline_lrs`` may have. A grid of one rate leaves no choice and does not grow.

    Args:
        grid: Rates to try first, in any order, above 0.
        reach: Tries rates; called once with the grid and once with each further rate.
        most_extensions: Further rates at most, in both directions together.
        on_extension: Called before each further rate is tried.

    Returns:
        The rate that reaches most. Of equal ones, those between two others come before those at an
        end, then the order of the grid decides.
    """
    reached = dict(zip(grid, reach(grid), strict=True))
    for _ in range(most_extensions if len(reached) > 1 else 0):
        further = _beyond(_best(reached), reached)
        if further is None:
            break
        if on_extension:
            on_extension()
        (reached[further],) = reach([further])
    best = _best(reached)
    return RateSearch(best=best, tried=tuple(sorted(reached)), at_end=not _is_inside(best, reached))


def _best(reached: dict[float, float]) -> float:
    most = max(reached.values())
    equal = [rate for rate, figure in reached.items() if figure == most]
    return next((rate for rate in equal if _is_inside(rate, reached)), equal[0])


def _is_inside(rate: float, reached: dict[float, float]) -> bool:
    return min(reached) < rate < max(reached)


def _beyond(best: float, reached: dict[float, float]) -> float | None:
    """Return the next rate beyond the end that the best one lies at; None where it lies at none."""
    if _is_inside(best, reached):
        return None
    further = best * STEP if best == max(reached) else best / STEP
    # Two significant digits, so that a rate can be set again as it is printed.
    further = float(f"{further:.2g}")
    return further if SETTINGS["baseline_lrs"].error((further,)) is None else None

"""The smallest leak that an audit of a given size tells from chance; free of torch."""

import math
from functools import lru_cache

from iadd.privacy.statistics import (
    FALSE_ALARMS,
    binomial_tail,
    incomplete_beta,
    lower_bound,
    upper_bound,
)

OUTLIERS = 0.1
"""Share of the units, those of the largest gradient norms, that are outliers: the smallest stratum
that every audit has."""

_SIDE = 0.025
_DEVIATIONS = 5.0
_ROUNDED = 1000
_POINTS = 4
"""Numbers of false alarms that a deviation is divided into; all of them where they are fewer."""


def told_from_chance(
    members_found: float, members: float, others_found: float, others: float
) -> bool:
    """Return whether an attack finds more members than others: their 95% intervals part.

    Args:
        members_found: Members called members.
        members: Members; with repeated runs over the design effect, as are those found.
        others_found: Others called members.
        others: Others.
    """
    low = lower_bound(members_found, members, _SIDE)
    return low > upper_bound(others_found, others, _SIDE)


def reachable_tpr(
    *,
    runs: int,
    units: int,
    deff: float = 1.0,
    chance: float = 0.8,
    fpr: float = FALSE_ALARMS,
) -> float:
    """Compute the smallest share of members found that an audit tells from chance.

    An attack with false alarms `fpr` is tried on n = runs·units/2/deff members and as many others.
    The number of false alarms varies as well as that of members found;
    :func:`told_from_chance` judges both.

    Args:
        runs: Test runs T, at least 1; 1 where the shipped run itself is the only one.
        units: Audit units m of a run, in or out by a fair coin.
        deff: Design effect: variance over runs over the binomial variance, at least 1.
        chance: Probability of telling it.
        fpr: False-alarm rate.

    Returns:
        Above `fpr`, rounded up to a tenth of a percent; 1 where no leak is told that often.

    Raises:
        ValueError: When a number is out of range.
    """
    if runs < 1 or units < 1 or not deff > 0 or not 0 < chance < 1 or not 0 < fpr < 1:
        raise ValueError("runs and units are at least 1, deff above 0, chance and fpr within 0..1")
    return _reachable(max(1, round(runs * units / 2 / deff)), chance, fpr)


def may_clear(
    *, runs: int, units: int, limit: float, deff: float = 1.0, fpr: float = FALSE_ALARMS
) -> bool:
    """Return whether an audit is large enough to clear a run that tells nothing.

    Chance finds a share `fpr` of the members of each stratum; the upper bound on it has to stay
    within the limit among the outliers too, who are few.

    Args:
        runs: Test runs T, at least 1.
        units: Audit units m of a run.
        limit: Share of members found that the upper bound may reach.
        deff: Design effect, as in :func:`reachable_tpr`.
        fpr: False-alarm rate.
    """
    members = OUTLIERS * runs * units / 2 / deff
    return members >= 1 and upper_bound(fpr * members, members, _SIDE) <= limit


@lru_cache(maxsize=1024)
def _reachable(n: int, chance: float, fpr: float) -> float:
    rows = _critical(n, fpr)

    def probability(tpr: float) -> float:
        return math.fsum(
            weight * binomial_tail(needed, n, tpr) for weight, needed in rows if needed <= n
        )

    if probability(1.0) < chance:
        return 1.0
    low, high = fpr, 1.0
    for _ in range(30):
        middle = (low + high) / 2.0
        low, high = (low, middle) if probability(middle) >= chance else (middle, high)
    return min(1.0, math.ceil(high * _ROUNDED) / _ROUNDED)


def _critical(n: int, fpr: float) -> list[tuple[float, int]]:
    """Return probabilities of numbers of false alarms, with the members found that each needs."""
    deviation = math.sqrt(n * fpr * (1.0 - fpr))
    step = max(1, int(deviation / _POINTS))
    first = max(0, int(n * fpr - _DEVIATIONS * deviation))
    last = min(n, int(n * fpr + _DEVIATIONS * deviation) + 5)
    rows, needed = [], 1
    for low in range(first, last + 1, step):
        weight = _at_least(low, n, fpr) - _at_least(low + step, n, fpr)
        limit = upper_bound(min(low + step // 2, n), n, _SIDE)
        # The lower bound of k members found is above the limit when P[Bin(n, limit) ≥ k] < side.
        needed = max(needed, int(n * limit))
        while needed <= n and incomplete_beta(needed, n - needed + 1, limit) >= _SIDE:
            needed += 1
        rows.append((weight, needed))
    return rows


def _at_least(k: int, n: int, chance: float) -> float:
    return binomial_tail(k, n, chance) if k <= n else 0.0

"""Exact tests for the audit: binomial tail, Clopper-Pearson, Holm."""

import math
from collections.abc import Callable, Sequence


def binomial_tail(successes: int, trials: int, chance: float) -> float:
    """Compute P(X ≥ successes) for X ~ Binomial(trials, chance), a one-sided p-value.

    Args:
        successes: Observed successes, 0 to `trials`.
        trials: Number of independent trials, at least 0.
        chance: Probability of a success under the null hypothesis, 0 to 1.

    Raises:
        ValueError: when an argument is out of range.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"successes must lie in 0..{trials}, not {successes}")
    if not 0.0 <= chance <= 1.0:
        raise ValueError(f"chance must lie in 0..1, not {chance}")
    if successes == 0 or chance == 1.0:
        return 1.0
    if chance == 0.0:
        return 0.0
    terms = (_log_probability(k, trials, chance) for k in range(successes, trials + 1))
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def _log_probability(k: int, n: int, p: float) -> float:
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways + k * math.log(p) + (n - k) * math.log1p(-p)


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Compute a two-sided interval that covers the true share with at least `confidence`.

    Source: Clopper and Pearson, Biometrika 26 (1934). With no trials it is (0, 1).

    Raises:
        ValueError: when `successes` is not in 0..`trials`.
    """
    side = (1.0 - confidence) / 2.0
    if trials == 0:
        return 0.0, 1.0
    lower = 0.0 if successes == 0 else _solve(lambda p: binomial_tail(successes, trials, p) - side)
    # P(X ≤ successes) = side, for the failures: P(Y ≥ trials − successes) = side at chance 1 − p.
    failures = trials - successes
    upper = 1.0
    if failures:
        upper -= _solve(lambda q: binomial_tail(failures, trials, q) - side)
    return lower, upper


def _solve(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (low, middle) if rising(middle) > 0.0 else (middle, high)
    return (low + high) / 2.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values by Holm's method, in the given order: several tests share one error rate.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted

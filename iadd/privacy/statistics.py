"""The few exact tests that the battery needs: binomial tail, Clopper-Pearson, Holm."""

import math
from collections.abc import Callable, Sequence


def binomial_tail(hits: int, trials: int, chance: float) -> float:
    """P(X ≥ hits) for X ~ Binomial(trials, chance): the one-sided p-value of "more than chance".

    Args:
        hits: Successes seen, 0 to `trials`.
        trials: Number of independent trials, at least 0.
        chance: Probability of a success under the null hypothesis, 0 to 1.

    Raises:
        ValueError: when an argument is out of range.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"hits must lie in 0..{trials}, not {hits}")
    if not 0.0 <= chance <= 1.0:
        raise ValueError(f"chance must lie in 0..1, not {chance}")
    if hits == 0 or chance == 1.0:
        return 1.0
    if chance == 0.0:
        return 0.0
    terms = (_log_probability(k, trials, chance) for k in range(hits, trials + 1))
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def _log_probability(k: int, n: int, p: float) -> float:
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways + k * math.log(p) + (n - k) * math.log1p(-p)


def clopper_pearson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided interval for a share, which covers the true one at least `confidence` of the time.

    Source: Clopper and Pearson, Biometrika 26 (1934). With no trials it is (0, 1).

    Raises:
        ValueError: when `hits` is not in 0..`trials`.
    """
    side = (1.0 - confidence) / 2.0
    if trials == 0:
        return 0.0, 1.0
    lower = 0.0 if hits == 0 else _solve(lambda p: binomial_tail(hits, trials, p) - side)
    # P(X ≤ hits) = side, seen from the failures: P(Y ≥ trials − hits) = side with Y's chance 1 − p.
    misses = trials - hits
    upper = 1.0 if misses == 0 else 1.0 - _solve(lambda q: binomial_tail(misses, trials, q) - side)
    return lower, upper


def _solve(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (low, middle) if rising(middle) > 0.0 else (middle, high)
    return (low + high) / 2.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the given order: several tests share one error rate.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted

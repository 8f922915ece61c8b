"""Audits a claimed ε with one run (Steinke, Nasr and Jagielski 2023, arXiv 2305.08846)."""

import math

from iadd.privacy.statistics import binomial_tail

_LARGEST = 50.0


def audited_epsilon(
    right: int,
    guesses: int,
    *,
    candidates: int | None = None,
    delta: float = 0.0,
    confidence: float = 0.95,
) -> float:
    """Compute a lower bound of ε from the right guesses of one run.

    Each of the candidates was in or out by a fair coin; an attacker guesses some of the coins and
    leaves out the others. A mechanism that is (ε, δ) private lets no attacker be right as often as
    seen, but with probability ``1 - confidence``, for any ε below the bound. It exposes a run that
    is less private than claimed; it certifies none.

    Args:
        right: Right guesses, 0 to `guesses`.
        guesses: Guesses, r.
        candidates: Coins, m, guessed or not; `guesses` unless given.
        delta: δ of the claim.
        confidence: Of the bound.

    Returns:
        The bound, at least 0: 3.49, 5.11 and 5.81 where all of 100, 500 and 1,000 guesses are
        right and δ is 0.

    Raises:
        ValueError: When the numbers do not go together.
    """
    coins = guesses if candidates is None else candidates
    if not 0 <= right <= guesses <= coins:
        raise ValueError("right, guesses and candidates must not decrease in this order")
    if not 0.0 <= delta < 1.0 or not 0.0 < confidence < 1.0:
        raise ValueError("delta lies in 0..1, confidence between 0 and 1")
    level = 1.0 - confidence
    if audit_p_value(right, guesses, 0.0, candidates=coins, delta=delta) > level:
        return 0.0
    low, high = 0.0, _LARGEST
    for _ in range(50):
        middle = (low + high) / 2.0
        if audit_p_value(right, guesses, middle, candidates=coins, delta=delta) <= level:
            low = middle
        else:
            high = middle
    return low


def audit_p_value(
    right: int, guesses: int, epsilon: float, *, candidates: int, delta: float
) -> float:
    """Bound the probability of at least `right` right guesses under (ε, δ) (their theorem 5.2).

    Args:
        right: Right guesses, v.
        guesses: Guesses, r.
        epsilon: ε, at least 0.
        candidates: Coins, m.
        delta: δ.

    Returns:
        ``β + 2·m·δ·α``: β = P[Bin(r, q) ≥ v], q = e^ε / (1 + e^ε), and α the largest of
        P[v − i ≤ Bin(r, q) < v] / i; at most 1.
    """
    chance = 1.0 / (1.0 + math.exp(-epsilon))
    beta = binomial_tail(right, guesses, chance)
    if delta == 0.0:
        return beta
    alpha, total = 0.0, 0.0
    for step in range(1, right + 1):
        total += _probability(right - step, guesses, chance)
        alpha = max(alpha, total / step)
    return min(1.0, beta + 2.0 * candidates * delta * alpha)


def _probability(k: int, n: int, p: float) -> float:
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    # 1 − p underflows to 0 at large ε, where its logarithm is −ε.
    out = math.log1p(-p) if p < 1.0 else -math.inf
    return math.exp(ways + k * math.log(p) + (n - k) * out) if k < n else p**n

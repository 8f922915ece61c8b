"""Tests and bounds for the audit, exact where they can be; free of torch.

Legend: n scores of members (and as many of others), k of them found, T runs.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist, fmean, variance
from typing import Any, Literal

AttackOutcome = Literal["refuted", "inconclusive", "not_refuted"]

FALSE_ALARMS = 0.01
"""False-alarm rate at which attacks are judged."""

REFUTING_TPR = 0.02
"""A share of members found, at 1% false alarms, that refutes when the truth is surely above it."""

SIGNIFICANCE = 0.05

_TINY = 1e-300


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
    return incomplete_beta(successes, trials - successes + 1, chance)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Compute the regularised incomplete beta function I_x(a, b), 0 to 1.

    For whole numbers it is a binomial tail: P(X ≥ k) of n trials is I_p(k, n − k + 1). The
    continued fraction is Lentz's (Press et al., Numerical Recipes, section 6.4).

    Args:
        a: Above 0.
        b: Above 0.
        x: 0 to 1.
    """
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front += a * math.log(x) + b * math.log1p(-x)
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0) or _TINY)
    fraction = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 / (1.0 + even * d or _TINY)
        c = 1.0 + even / c or _TINY
        fraction *= d * c
        d = 1.0 / (1.0 + odd * d or _TINY)
        c = 1.0 + odd / c or _TINY
        change = d * c
        fraction *= change
        if abs(change - 1.0) < 1e-15:
            break
    return min(1.0, math.exp(front) * fraction / a)


def clopper_pearson(
    successes: float, trials: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Compute a two-sided interval that covers the true share with at least `confidence`.

    Source: Clopper and Pearson, Biometrika 26 (1934). With no trials it is (0, 1). Trials of a
    clustered sample may be divided by the design effect, and need not be whole (Korn and Graubard,
    Survey Methodology 24, 1998).

    Raises:
        ValueError: when `successes` is not in 0..`trials`.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"successes must lie in 0..{trials}, not {successes}")
    side = (1.0 - confidence) / 2.0
    return lower_bound(successes, trials, side), upper_bound(successes, trials, side)


@lru_cache(maxsize=4096)
def lower_bound(successes: float, trials: float, side: float) -> float:
    """Compute the lower bound of a share that is above it but with probability `side`."""
    if successes <= 0.0 or trials <= 0.0:
        return 0.0
    return _solve(lambda p: incomplete_beta(successes, trials - successes + 1.0, p) - side)


def upper_bound(successes: float, trials: float, side: float) -> float:
    """Compute the upper bound of a share that is below it but with probability `side`."""
    if trials <= 0.0 or successes >= trials:
        return 1.0
    return 1.0 - lower_bound(trials - successes, trials, side)


def _solve(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(36):
        middle = (low + high) / 2.0
        low, high = (low, middle) if rising(middle) > 0.0 else (middle, high)
    return (low + high) / 2.0


def normal_quantile(probability: float) -> float:
    """Return the quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)


@lru_cache(maxsize=1024)
def t_quantile(probability: float, freedom: float) -> float:
    """Return a quantile of Student's t distribution.

    Args:
        probability: Above 0.5 and below 1.
        freedom: Degrees of freedom, above 0.
    """
    # P(|t| > q) = I_x(freedom / 2, 1/2) at x = freedom / (freedom + q²).
    x = _solve(lambda x: incomplete_beta(freedom / 2.0, 0.5, x) - 2.0 * (1.0 - probability))
    return math.sqrt(freedom * (1.0 - x) / max(x, _TINY))


def design_effect(found: Sequence[int], members: Sequence[int]) -> float:
    """Compute the variance of a share over runs, over the binomial variance of a run's share.

    1 where scores of one run are independent; more where a run as a whole finds many or few.
    1 where there are fewer than two runs, or nothing was found.

    Args:
        found: Members found in each run.
        members: Members of each run.
    """
    runs = [(k, n) for k, n in zip(found, members, strict=True) if n > 0]
    total = sum(n for _, n in runs)
    share = sum(k for k, _ in runs) / total if total else 0.0
    if len(runs) < 2 or not 0.0 < share < 1.0:
        return 1.0
    squares = sum((k - n * share) ** 2 / (n * share * (1.0 - share)) for k, n in runs)
    return squares / (len(runs) - 1)


def mean_over_runs(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Compute an interval of a mean from one value a run, by Student's t.

    Args:
        values: At least two.
        confidence: Of the interval, both sides together.
    """
    centre = fmean(values)
    error = math.sqrt(variance(values) / len(values))
    reach = t_quantile(0.5 + confidence / 2.0, len(values) - 1) * error
    return centre - reach, centre + reach


def auc_interval(
    auc: float, members: float, others: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Compute an interval of an area under the ROC curve from one run.

    Source: Hanley and McNeil, Radiology 143 (1982). It is within 0 and 1, and not empty where the
    area is 0 or 1.

    Args:
        auc: The area.
        members: Number of members' scores, over the design effect where they are of several runs.
        others: Number of the others'.
        confidence: Of the interval, both sides together.
    """
    if members <= 0 or others <= 0:
        return 0.0, 1.0
    # At 0 and 1 the formula knows no error: one score more on the wrong side is assumed.
    inner = min(max(auc, 0.5 / (members * others)), 1.0 - 0.5 / (members * others))
    q1, q2 = inner / (2.0 - inner), 2.0 * inner**2 / (1.0 + inner)
    square = inner * (1.0 - inner)
    square += (members - 1.0) * (q1 - inner**2) + (others - 1.0) * (q2 - inner**2)
    reach = normal_quantile(0.5 + confidence / 2.0) * math.sqrt(square / (members * others))
    return max(0.0, auc - reach), min(1.0, auc + reach)


def sign_test(members_found: int, others_found: int) -> float:
    """Compute P[Bin(found, ½) ≥ members found], the exact null of repeated runs.

    Membership bits are fair coins that nobody has seen who guesses. So if the runs reveal nothing,
    each unit that is called a member is one with probability ½, however the scores within a run
    depend on each other, and wherever the threshold lies.
    """
    return binomial_tail(members_found, members_found + others_found, 0.5)


def permutation_tail(members_above: int, others_above: int, members: int, others: int) -> float:
    """Compute the exact p-value of one run whose threshold comes from the others' scores.

    The threshold is the score of rank ``others_above + 1`` of the others. If all scores are
    exchangeable, at least as many members lie above it when of the highest ``members_above +
    others_above`` scores at most ``others_above`` are others': a hypergeometric probability.

    Args:
        members_above: Members' scores above the threshold.
        others_above: Others' scores above it.
        members: Members' scores in all.
        others: Others' scores in all; more than ``others_above``.
    """
    top = members_above + others_above
    return math.fsum(
        math.exp(
            _log_choose(others, k)
            + _log_choose(members, top - k)
            - _log_choose(members + others, top)
        )
        for k in range(max(0, top - members), others_above + 1)
    )


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def holm_levels(p_values: Sequence[float], level: float) -> list[float]:
    """Return the level at which Holm's method tests each hypothesis, in the given order.

    The smallest p-value is tested at ``level`` over the number of hypotheses, the next at one
    fewer, and so on.
    """
    levels = [0.0] * len(p_values)
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        levels[index] = level / (len(p_values) - rank)
    return levels


def reproduced_outcome(attack: Mapping[str, Any], limit: float) -> AttackOutcome:
    """Apply the three-way rule to one attack of a report, at any limit.

    With enough scores, every pipeline without differential privacy differs from chance. So not a
    difference refutes, but a leak of some size; and nothing passes that was not measured well
    enough to bound its leak.

    Args:
        attack: Its ``tpr_interval`` and ``p``, adjusted for the number of attacks (Holm).
        limit: Share of members found, at 1% false alarms, that the upper bound may reach.

    Returns:
        ``refuted`` when the lower bound is above 2% and chance does not explain it (p below 0.05);
        ``not_refuted`` when the upper bound is at most `limit`; else ``inconclusive``.

    Raises:
        KeyError: When the row is no such attack.
        ValueError: When its numbers are none.
    """
    low, high = (float(bound) for bound in attack["tpr_interval"])
    p = float(attack["p"])
    if not (0.0 <= low <= high <= 1.0 and 0.0 <= p <= 1.0):
        raise ValueError("an attack has an interval within 0 and 1, and a p-value")
    if low > REFUTING_TPR and p < SIGNIFICANCE:
        return "refuted"
    return "not_refuted" if high <= limit else "inconclusive"


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

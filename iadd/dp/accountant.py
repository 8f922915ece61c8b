"""Accounts for what composed mechanisms spend: ε at a δ, and the noise that an ε needs.

Privacy-loss distributions (Koskela, Jälkö and Honkela 2020; Doroshenko et al. 2022) by the
``dp-accounting`` package, for neighbours that differ by one added or removed unit. The ε is an
upper bound that is exact up to the grid.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Literal

_GRID = 1e-3
_FINE_GRID = 1e-4
_FINE_BELOW = 0.5
_TOLERANCE = 5e-4
_MOST_NOISE = 1e5
_MOST_TURNS = 60

MechanismName = Literal["sampled_gaussian", "gaussian", "laplace"]


@dataclass(frozen=True)
class Mechanism:
    """A noisy answer about the data.

    Attributes:
        name: ``sampled_gaussian``: Gaussian noise on a sum over units, each drawn with probability
            `rate` (Poisson sampling). ``gaussian``: the same over all units. ``laplace``: Laplace
            noise on a sum over all units.
        noise: Standard deviation (Gaussian) or scale (Laplace) over the largest norm that one unit
            can add: L2 for Gaussian, L1 for Laplace noise.
        rate: Probability of each unit to be drawn; 1 unless sampled.
    """

    name: MechanismName
    noise: float
    rate: float = 1.0


class EpsilonUnreachableError(ValueError):
    """No amount of noise keeps the planned reads within ε."""


def accountant_name() -> str:
    """Return the accountant and its version."""
    return f"dp-accounting {version('dp-accounting')} (privacy loss distributions)"


def epsilon_of(mechanisms: Mapping[Mechanism, int] | Iterable[Mechanism], delta: float) -> float:
    """Compute the ε that composed mechanisms spend.

    Args:
        mechanisms: Each mechanism, or how often each was used.
        delta: δ, above 0 and below 1.

    Returns:
        ε; 0 for no mechanism, infinite where one of them adds no noise.
    """
    counts = Counter(mechanisms)
    return _epsilon(frozenset((m, n) for m, n in counts.items() if n > 0), delta)


def noise_multiplier(
    epsilon: float,
    delta: float,
    *,
    steps: int,
    rate: float,
    others: Mapping[Mechanism, int] | None = None,
) -> float:
    """Compute the smallest noise with which Gaussian sums stay within ε.

    Args:
        epsilon: ε of the sums and of `others` together.
        delta: δ.
        steps: Number of sums, at least 1.
        rate: Probability of each unit to be drawn; 1 takes all.
        others: Mechanisms that are paid for from the same ε.

    Returns:
        Standard deviation over clipping norm; the sums then spend ε to 0.05%.

    Raises:
        EpsilonUnreachableError: When `others` leave nothing.
    """
    fixed = frozenset((others or {}).items())
    return _noise_multiplier(epsilon, delta, steps, rate, fixed)


def sampled_gaussian(noise: float, rate: float) -> Mechanism:
    """Describe one Gaussian sum over units that are each drawn with probability `rate`."""
    return Mechanism("sampled_gaussian" if rate < 1 else "gaussian", noise, min(rate, 1.0))


@lru_cache(maxsize=256)
def _noise_multiplier(
    epsilon: float,
    delta: float,
    steps: int,
    rate: float,
    others: frozenset[tuple[Mechanism, int]],
) -> float:
    def excess(noise: float) -> float:
        spent = epsilon_of(dict(others) | {sampled_gaussian(noise, rate): steps}, delta)
        return math.log(max(spent, epsilon / _MOST_NOISE) / epsilon)

    if epsilon_of(dict(others), delta) >= epsilon:
        raise EpsilonUnreachableError(
            f"ε = {epsilon:g} is spent by other reads of the data: raise epsilon."
        )
    # ε is about c/σ: in logarithms the secant finds σ in a few steps, and halving is the fallback.
    low, high = 1.0, 1.0
    above = below = excess(1.0)
    while above <= 0 and low > 1 / _MOST_NOISE:
        high, below = low, above
        low = low * math.exp(max(-2.0, above - 0.1))
        above = excess(low)
    while below > 0 and high < _MOST_NOISE:
        low, above = high, below
        high = high * math.exp(min(2.0, below + 0.1))
        below = excess(high)
    for turn in range(_MOST_TURNS):
        if below > -_TOLERANCE:
            break
        share = 0.5 if turn % 3 == 2 else (above + _TOLERANCE / 2) / (above - below)
        middle = low * (high / low) ** min(max(share, 0.001), 0.999)
        found = excess(middle)
        low, above, high, below = (
            (middle, found, high, below) if found > 0 else (low, above, middle, found)
        )
    return high


@lru_cache(maxsize=1024)
def _epsilon(counts: frozenset[tuple[Mechanism, int]], delta: float) -> float:
    if not counts:
        return 0.0
    if any(mechanism.noise <= 0 for mechanism, _ in counts):
        return math.inf
    found = _on_grid(counts, delta, _GRID)
    return found if found >= _FINE_BELOW else _on_grid(counts, delta, _FINE_GRID)


def _on_grid(counts: frozenset[tuple[Mechanism, int]], delta: float, grid: float) -> float:
    # Imported here: it brings scipy, and most runs need no accountant.
    import dp_accounting
    from dp_accounting import pld

    accountant = pld.PLDAccountant(
        dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=grid
    )
    # A fixed order: floating-point sums depend on it.
    for mechanism, count in sorted(counts, key=repr):
        event: dp_accounting.DpEvent
        if mechanism.name == "laplace":
            event = dp_accounting.LaplaceDpEvent(mechanism.noise)
        else:
            event = dp_accounting.GaussianDpEvent(mechanism.noise)
            if mechanism.name == "sampled_gaussian":
                event = dp_accounting.PoissonSampledDpEvent(mechanism.rate, event)
        accountant.compose(event, count)
    return float(accountant.get_epsilon(delta))

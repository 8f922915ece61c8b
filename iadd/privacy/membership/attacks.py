"""The attacks: from signals of C calibration runs and one run to a score of each unit.

High scores say that the unit was in. No attack reads the coins of the run that it scores.

Shapes: R runs, m units, z images of the population.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

_SMALL = 1e-12


@dataclass(frozen=True, eq=False)
class Calibration:
    """The runs that an attack is calibrated on.

    Attributes:
        signals: float64 (R, m) each, by name.
        bits: bool (R, m).
        population: float64 (R, z).
    """

    signals: Mapping[str, Tensor]
    bits: Tensor
    population: Tensor

    def without(self, run: int) -> "Calibration":
        """Leave out one run, so that it can be scored as if it had not been seen."""
        kept = torch.arange(len(self.bits)) != run
        return Calibration(
            {name: values[kept] for name, values in self.signals.items()},
            self.bits[kept],
            self.population[kept],
        )


@dataclass(frozen=True, eq=False)
class Observed:
    """What is seen of one run.

    Attributes:
        signals: float64 (m,) each, by name.
        population: float64 (z,).
    """

    signals: Mapping[str, Tensor]
    population: Tensor


Attacker = Callable[[Calibration, Observed], Tensor]


@dataclass(frozen=True)
class Kind:
    """One attack.

    Attributes:
        title: Title for people.
        needs: The signal that it reads.
        score: Scores the units of a run, float64 (m,).
    """

    title: str
    needs: str
    score: Attacker


def likelihood_ratio(signal: str) -> Attacker:
    """Make the likelihood-ratio attack on a signal (LiRA, Carlini et al. 2022, algorithm 1).

    Each unit has a normal distribution with and one without it; the deviations are pooled over
    units (their section VI-B), and widened by the error of the means.
    """

    def score(calibration: Calibration, observed: Observed) -> Tensor:
        values, bits = calibration.signals[signal], calibration.bits
        (mean_in, wide_in), (mean_out, wide_out) = _sides(values, bits)
        x = observed.signals[signal]
        log_in = -((x - mean_in).square() / wide_in + wide_in.log()) / 2
        log_out = -((x - mean_out).square() / wide_out + wide_out.log()) / 2
        return log_in - log_out

    return score


def _sides(values: Tensor, bits: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return mean and predictive variance of each unit, (m,), with and without it."""
    counts, means, squares, freedom = [], [], [], []
    for chosen in (bits, ~bits):
        weight = chosen.double()
        count = weight.sum(dim=0)
        mean = (values * weight).sum(dim=0) / count.clamp(min=1)
        rest = ((values - mean) * weight).square().sum()
        counts.append(count)
        means.append(mean)
        squares.append(float(rest))
        freedom.append(float((count - 1).clamp(min=0).sum()))
    both = (counts[0] > 0) & (counts[1] > 0)
    shift = (means[0] - means[1])[both].mean() if bool(both.any()) else torch.zeros(())
    # A unit that was never on one side is taken to lie as far from the other as units do.
    means[0] = torch.where(counts[0] > 0, means[0], means[1] + shift)
    means[1] = torch.where(counts[1] > 0, means[1], means[0] - shift)
    everywhere = sum(squares) / max(sum(freedom), 1.0)
    sides = []
    for count, mean, square, free in zip(counts, means, squares, freedom, strict=True):
        # Few runs say little of the difference of two deviations.
        variance = square / free if free >= 100 else everywhere
        sides.append((mean, (variance + _SMALL) * (1 + 1 / count.clamp(min=1))))
    return sides[0], sides[1]


def rmia(calibration: Calibration, observed: Observed) -> Tensor:
    """Score by pairwise likelihood ratios (RMIA, Zarifzadeh et al. 2024, arXiv 2312.03262).

    The share of a disjoint population z with p_r(x)/p(x) ≥ p_r(z)/p(z); p averages runs with and
    without the image.
    """
    (mean_in, _), (mean_out, _) = _sides(calibration.signals["p"], calibration.bits)
    prior = (mean_in + mean_out).clamp(min=_SMALL) / 2
    ratio = observed.signals["p"] / prior
    others = observed.population / calibration.population.mean(dim=0).clamp(min=_SMALL)
    ordered = others.sort().values
    share = torch.searchsorted(ordered, ratio, right=True).double() / max(len(ordered), 1)
    # Beyond the population's largest ratio the ratio itself still tells units apart.
    return share + ratio.clamp(max=1 / _SMALL).log1p() * 1e-6


def raw(signal: str) -> Attacker:
    """Make the attack that takes a signal as it is."""
    return lambda _, observed: observed.signals[signal]


def above_absent(signal: str) -> Attacker:
    """Make the attack that compares a signal with its mean over runs without the unit."""

    def score(calibration: Calibration, observed: Observed) -> Tensor:
        _, (mean_out, _) = _sides(calibration.signals[signal], calibration.bits)
        return observed.signals[signal] - mean_out

    return score


ATTACKS: Mapping[str, Kind] = {
    "lira": Kind("Likelihood ratio (LiRA)", "phi", likelihood_ratio("phi")),
    "rmia": Kind("Relative likelihood (RMIA)", "p", rmia),
    "loss": Kind("Loss", "log_p", raw("log_p")),
    "gradient": Kind("Gradient alignment", "gradient", likelihood_ratio("gradient")),
    "nearest": Kind("Nearest distilled image", "nearest", above_absent("nearest")),
    "matched_filter": Kind("Matched filter", "matched_filter", raw("matched_filter")),
}
"""Every attack by name. Sources: LiRA, Carlini et al. 2022 (arXiv 2112.03570); RMIA, Zarifzadeh et
al. 2024 (arXiv 2312.03262); loss, Yeom et al. 2018 (arXiv 1709.01604)."""


def scores_of(name: str, calibration: Calibration, tests: Calibration) -> tuple[Tensor, Tensor]:
    """Score all runs with one attack.

    Args:
        name: Of the attack.
        calibration: C runs, at least two.
        tests: T runs; their coins are not read.

    Returns:
        float64 (C, m), each run scored by what the others calibrate, and (T, m).
    """
    score = ATTACKS[name].score
    own = [
        score(calibration.without(run), _observed(calibration, run))
        for run in range(len(calibration.bits))
    ]
    tested = [score(calibration, _observed(tests, run)) for run in range(len(tests.bits))]
    return torch.stack(own), torch.stack(tested)


def _observed(runs: Calibration, run: int) -> Observed:
    return Observed(
        {name: values[run] for name, values in runs.signals.items()}, runs.population[run]
    )


def confidence(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Compute φ = log p_y − log Σ_{k≠y} p_k and log p_y of logits (N, K), each (N,).

    φ is finite where p_y rounds to 1 (Carlini et al. 2022, section V-C).
    """
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -math.inf).logsumexp(dim=1)
    return own - others, own - logits.logsumexp(dim=1)

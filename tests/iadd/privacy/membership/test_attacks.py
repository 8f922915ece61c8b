"""Each attack beside its formula, written out for one unit at a time."""

import math

import pytest
import torch

from iadd.privacy.membership.attacks import (
    Calibration,
    Observed,
    confidence,
    likelihood_ratio,
    rmia,
    scores_of,
)
from iadd.privacy.membership.tally import area, lenient_rank


def calibration(runs: int = 6, units: int = 5, seed: int = 0) -> Calibration:
    draws = torch.Generator().manual_seed(seed)
    values = torch.randn(runs, units, generator=draws, dtype=torch.float64)
    bits = (torch.arange(runs)[:, None] + torch.arange(units)) % 2 == 0
    population = torch.rand(runs, 40, generator=draws, dtype=torch.float64) + 0.1
    return Calibration({"phi": values, "p": values.exp()}, bits, population)


def test_confidence_equals_its_formula_and_survives_certainty() -> None:
    logits, labels = torch.tensor([[2.0, -1.0, 0.5], [80.0, 0.0, 0.0]]), torch.tensor([0, 0])
    phi, log_p = confidence(logits, labels)
    p = logits[0].softmax(dim=0)
    assert float(phi[0]) == pytest.approx(math.log(p[0] / (1 - p[0])), rel=1e-5)
    assert float(log_p[0]) == pytest.approx(math.log(p[0]), rel=1e-5)
    assert float(phi[1]) == pytest.approx(80 - math.log(2), rel=1e-5)


def test_the_likelihood_ratio_equals_two_normal_densities() -> None:
    runs = calibration()
    x = torch.linspace(-1, 2, 5, dtype=torch.float64)
    found = likelihood_ratio("phi")(runs, Observed({"phi": x}, runs.population[0]))
    values, bits = runs.signals["phi"], runs.bits
    rests, freedom = 0.0, 0
    for unit in range(5):
        for side in (True, False):
            own = values[:, unit][bits[:, unit] == side]
            rests += float((own - own.mean()).square().sum())
            freedom += len(own) - 1
    pooled = rests / freedom
    for unit in range(5):
        logs = []
        for side in (True, False):
            own = values[:, unit][bits[:, unit] == side]
            normal = torch.distributions.Normal(own.mean(), math.sqrt(pooled * (1 + 1 / len(own))))
            logs.append(float(normal.log_prob(x[unit])))
        assert float(found[unit]) == pytest.approx(logs[0] - logs[1], rel=1e-6)


def test_rmia_counts_the_population_that_a_unit_dominates() -> None:
    runs = calibration()
    seen = Observed({"p": torch.full((5,), 0.7, dtype=torch.float64)}, runs.population[1])
    found = rmia(runs, seen)
    others = seen.population / runs.population.mean(dim=0)
    for unit in range(5):
        own, bits = runs.signals["p"][:, unit], runs.bits[:, unit]
        prior = (own[bits].mean() + own[~bits].mean()) / 2
        share = float((0.7 / prior >= others).double().mean())
        assert float(found[unit]) == pytest.approx(share, abs=1e-4)


def test_no_score_depends_on_the_coins_of_the_run_that_is_scored() -> None:
    runs, tests = calibration(), calibration(runs=2, seed=1)
    flipped = Calibration(tests.signals, ~tests.bits, tests.population)
    for name in ("lira", "rmia"):
        own, scores = scores_of(name, runs, tests)
        assert torch.equal(scores, scores_of(name, runs, flipped)[1])
        bits = runs.bits.clone()
        bits[2] = ~bits[2]
        changed = Calibration(runs.signals, bits, runs.population)
        assert torch.equal(scores_of(name, changed, tests)[0][2], own[2])
        assert not torch.equal(scores_of(name, changed, tests)[0][3], own[3])


def test_a_unit_that_was_never_out_is_scored_all_the_same() -> None:
    runs = calibration()
    bits = runs.bits.clone()
    bits[:, 0], bits[:, 1] = True, False
    one_sided = Calibration(runs.signals, bits, runs.population)
    for name in ("lira", "rmia"):
        for scores in scores_of(name, one_sided, runs):
            assert bool(scores.isfinite().all())


def test_the_area_equals_a_count_of_pairs() -> None:
    ins, outs = torch.tensor([1.0, 2.0, 2.0]).numpy(), torch.tensor([0.0, 2.0]).numpy()
    assert area(ins, outs) == pytest.approx((1 + 0 + 1 + 0.5 + 1 + 0.5) / 6)


def test_a_lenient_threshold_has_one_false_alarm_in_a_hundred_surely() -> None:
    draws = torch.Generator().manual_seed(0)
    for count in (100, 1000):
        rank = lenient_rank(count, count)
        scores = torch.rand(2000, count, generator=draws).sort(dim=1, descending=True).values
        true_rate = 1 - scores[:, rank]
        assert float((true_rate < 0.01).double().mean()) <= 0.05 + 0.015
        assert rank <= 0.03 * count + 3

"""The tests' own tests: closed forms and published values."""

import itertools
import math

import numpy as np
import pytest

from iadd.privacy.statistics import (
    auc_interval,
    binomial_tail,
    clopper_pearson,
    design_effect,
    holm,
    holm_levels,
    incomplete_beta,
    mean_over_runs,
    permutation_tail,
    reproduced_outcome,
    sign_test,
    t_quantile,
)


@pytest.mark.parametrize("trials", [1, 5, 40])
@pytest.mark.parametrize("chance", [0.01, 0.5, 0.8])
def test_binomial_tail_equals_the_sum_of_exact_terms(trials: int, chance: float) -> None:
    for successes in range(trials + 1):
        exact = sum(
            math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k)
            for k in range(successes, trials + 1)
        )
        assert binomial_tail(successes, trials, chance) == pytest.approx(exact, rel=1e-10)


def test_binomial_tail_at_the_edges() -> None:
    assert binomial_tail(0, 0, 0.3) == 1.0
    assert binomial_tail(0, 7, 0.0) == 1.0
    assert binomial_tail(1, 7, 0.0) == 0.0
    assert binomial_tail(7, 7, 1.0) == 1.0
    with pytest.raises(ValueError, match="successes"):
        binomial_tail(3, 2, 0.5)
    with pytest.raises(ValueError, match="chance"):
        binomial_tail(1, 2, 1.5)


def test_binomial_tail_survives_large_counts() -> None:
    # Close to the normal approximation, far from overflow.
    assert binomial_tail(5_100, 10_000, 0.5) == pytest.approx(0.0233, abs=5e-4)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),  # 1 − 0.025^(1/10)
        (10, 10, 0.6915, 1.0),
        (5, 10, 0.1871, 0.8129),
        (4, 20, 0.0573, 0.4366),
        (0, 0, 0.0, 1.0),
    ],
)
def test_clopper_pearson_equals_published_values(
    successes: int, trials: int, low: float, high: float
) -> None:
    assert clopper_pearson(successes, trials) == pytest.approx((low, high), abs=1e-4)


def test_clopper_pearson_bounds_reach_the_tails() -> None:
    low, high = clopper_pearson(7, 30)
    assert binomial_tail(7, 30, low) == pytest.approx(0.025, rel=1e-6)
    assert 1.0 - binomial_tail(8, 30, high) == pytest.approx(0.025, rel=1e-6)


def test_holm_on_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_incomplete_beta_equals_closed_forms_and_is_symmetric() -> None:
    for x in (0.01, 0.3, 0.9):
        assert incomplete_beta(1.0, 4.5, x) == pytest.approx(1 - (1 - x) ** 4.5, rel=1e-12)
        assert incomplete_beta(0.5, 0.5, x) == pytest.approx(
            2 / math.pi * math.asin(math.sqrt(x)), rel=1e-12
        )
        both = incomplete_beta(3.2, 700.0, x) + incomplete_beta(700.0, 3.2, 1 - x)
        assert both == pytest.approx(1.0, abs=1e-12)
    assert (incomplete_beta(2, 3, 0.0), incomplete_beta(2, 3, 1.0)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (3, 3.18245), (15, 2.13145), (1000, 1.96234)]
)
def test_t_quantiles_equal_the_tables(freedom: int, quantile: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(quantile, rel=1e-4)


def test_an_interval_over_runs_covers_the_mean() -> None:
    draws = np.random.default_rng(0).normal(0.5, 0.1, (400, 8))
    inside = [low <= 0.5 <= high for low, high in (mean_over_runs(list(row)) for row in draws)]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_the_design_effect_is_one_for_independent_scores_and_more_for_clustered_runs() -> None:
    draws = np.random.default_rng(0)
    members = [200] * 400
    assert design_effect(list(draws.binomial(200, 0.05, 400)), members) == pytest.approx(1, abs=0.2)
    shares = draws.beta(5, 95, 400)
    clustered = list(draws.binomial(200, shares))
    # A beta-binomial's variance: 1 + (n − 1) / (a + b + 1).
    assert design_effect(clustered, members) == pytest.approx(1 + 199 / 101, abs=0.6)
    assert design_effect([3], [10]) == design_effect([0, 0], [10, 10]) == 1.0


def test_the_interval_of_an_auc_covers_it() -> None:
    draws, inside = np.random.default_rng(0), []
    truth = 0.5 * (1 + math.erf(0.7 / 2))  # of two normal distributions 0.7 apart
    for _ in range(300):
        members, others = draws.normal(0.7, 1, 60), draws.normal(0, 1, 90)
        auc = float((members[:, None] > others).mean())
        low, high = auc_interval(auc, 60, 90)
        inside.append(low <= truth <= high)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.035)
    assert auc_interval(1.0, 30, 30)[0] < 1.0
    assert auc_interval(0.5, 0, 30) == (0.0, 1.0)


def test_the_permutation_tail_equals_all_permutations() -> None:
    members, others = 4, 5
    for others_above in range(others):
        counts = [0] * (members + 1)
        places = list(itertools.combinations(range(members + others), members))
        for own in places:
            rest = [place for place in range(members + others) if place not in own]
            threshold = rest[-1 - others_above]
            counts[sum(place > threshold for place in own)] += 1
        for above in range(members + 1):
            assert permutation_tail(above, others_above, members, others) == pytest.approx(
                sum(counts[above:]) / len(places)
            )


def test_sign_test_and_levels() -> None:
    assert sign_test(0, 0) == 1.0
    assert sign_test(9, 1) == pytest.approx(11 / 1024)
    assert holm_levels([0.04, 0.001, 0.02], 0.06) == pytest.approx([0.06, 0.02, 0.03])


@pytest.mark.parametrize(
    ("interval", "p", "limit", "outcome"),
    [
        ((0.03, 0.2), 0.001, 0.05, "refuted"),
        ((0.03, 0.2), 0.3, 0.05, "inconclusive"),
        ((0.021, 0.04), 0.001, 0.05, "refuted"),
        ((0.015, 0.04), 0.001, 0.05, "not_refuted"),
        ((0.015, 0.04), 0.001, 0.03, "inconclusive"),
        ((0.0, 0.05), 1.0, 0.05, "not_refuted"),
        ([0.0, 0.06], 1.0, 0.05, "inconclusive"),
    ],
)
def test_three_outcomes(
    interval: tuple[float, float], p: float, limit: float, outcome: str
) -> None:
    assert reproduced_outcome({"tpr_interval": interval, "p": p}, limit) == outcome


def test_a_row_that_is_no_attack_has_no_outcome() -> None:
    with pytest.raises(KeyError):
        reproduced_outcome({"p": 0.5}, 0.05)
    for interval, p in (((0.2, 0.1), 0.5), ((0.0, math.nan), 0.5), ((0.0, 0.1), -1.0)):
        with pytest.raises(ValueError, match="interval"):
            reproduced_outcome({"tpr_interval": interval, "p": p}, 0.05)

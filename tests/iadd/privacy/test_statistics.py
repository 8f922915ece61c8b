"""The tests' own tests: closed forms and published values."""

import math

import pytest

from iadd.privacy.statistics import binomial_tail, clopper_pearson, holm


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

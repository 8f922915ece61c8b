"""The audit of a claimed ε with one run: published values, and a mechanism that is known."""

import math

import numpy as np
import pytest

from iadd.privacy.steinke import audit_p_value, audited_epsilon


@pytest.mark.parametrize(("guesses", "epsilon"), [(100, 3.49), (500, 5.11), (1000, 5.81)])
def test_all_guesses_right_gives_the_published_bounds(guesses: int, epsilon: float) -> None:
    assert audited_epsilon(guesses, guesses) == pytest.approx(epsilon, abs=0.005)
    # All right has probability q^r: the bound in closed form.
    q = 0.05 ** (1 / guesses)
    assert audited_epsilon(guesses, guesses) == pytest.approx(math.log(q / (1 - q)), abs=1e-6)


def test_guesses_at_chance_bound_nothing_and_fewer_right_ones_bound_less() -> None:
    assert audited_epsilon(52, 100) == 0.0
    assert audited_epsilon(0, 0) == 0.0
    bounds = [audited_epsilon(right, 100) for right in (60, 80, 95, 100)]
    assert bounds == sorted(set(bounds))


def test_delta_and_guesses_left_out_lower_the_bound() -> None:
    exact = audited_epsilon(100, 100)
    assert audited_epsilon(100, 100, candidates=1000, delta=0.0) == exact
    assert audited_epsilon(100, 100, candidates=1000, delta=1e-5) < exact
    assert audited_epsilon(100, 100, candidates=10_000, delta=0.01) == 0.0


def test_the_p_value_equals_the_published_program() -> None:
    # Steinke et al., appendix D, with SciPy's binomial replaced by its sum.
    def published(m: int, r: int, v: int, eps: float, delta: float) -> float:
        q = 1 / (1 + math.exp(-eps))
        pmf = [math.comb(r, k) * q**k * (1 - q) ** (r - k) for k in range(r + 1)]
        beta, alpha, total = sum(pmf[v:]), 0.0, 0.0
        for i in range(1, v + 1):
            total += pmf[v - i]
            alpha = max(alpha, total / i)
        return min(1.0, beta + alpha * delta * 2 * m)

    for right, epsilon, delta in ((30, 0.5, 1e-3), (38, 2.0, 1e-4), (40, 3.0, 0.0)):
        assert audit_p_value(right, 40, epsilon, candidates=90, delta=delta) == pytest.approx(
            published(90, 40, right, epsilon, delta), rel=1e-9
        )


def test_randomised_response_is_not_accused_of_more_than_its_epsilon() -> None:
    epsilon, draws = 1.0, np.random.default_rng(0)
    right = draws.binomial(300, 1 / (1 + math.exp(-epsilon)), size=200)
    bounds = [audited_epsilon(int(k), 300) for k in right]
    assert np.mean([bound > epsilon for bound in bounds]) <= 0.08
    assert np.median(bounds) > 0.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"right": 3, "guesses": 2},
        {"right": -1, "guesses": 2},
        {"right": 1, "guesses": 2, "candidates": 1},
        {"right": 1, "guesses": 2, "delta": 1.0},
    ],
)
def test_numbers_that_do_not_go_together_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"order|delta"):
        audited_epsilon(**wrong)

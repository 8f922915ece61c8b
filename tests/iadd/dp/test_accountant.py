import math

import pytest

from iadd.dp.accountant import (
    EpsilonUnreachableError,
    Mechanism,
    epsilon_of,
    noise_multiplier,
    sampled_gaussian,
)

# The setting of docs/adr/031: 10,868 images, batches of 1,024, 20 epochs.
RATE, DELTA = 1024 / 10_868, 1e-5
STEPS = {1: 212, 5: 1060}


@pytest.mark.parametrize(
    ("teachers", "epsilon", "expected"),
    [(1, 1, 5.27), (1, 3, 2.12), (1, 8, 1.11), (5, 1, 11.53), (5, 3, 4.37), (5, 8, 2.00)],
)
def test_noise_and_epsilon_agree_with_dp_accounting(
    teachers: int, epsilon: float, expected: float
) -> None:
    dp_accounting = pytest.importorskip("dp_accounting")
    noise = noise_multiplier(epsilon, DELTA, steps=STEPS[teachers], rate=RATE)
    assert noise == pytest.approx(expected, abs=0.01)
    # Built here from the package's own events, on its own grid.
    accountant = dp_accounting.pld.PLDAccountant(value_discretization_interval=5e-4)
    gaussian = dp_accounting.GaussianDpEvent(noise)
    accountant.compose(dp_accounting.PoissonSampledDpEvent(RATE, gaussian), STEPS[teachers])
    reference = accountant.get_epsilon(DELTA)
    ours = epsilon_of({sampled_gaussian(noise, RATE): STEPS[teachers]}, DELTA)
    assert ours == pytest.approx(reference, rel=0.005)
    assert reference == pytest.approx(epsilon, rel=0.005)


@pytest.mark.slow  # importing it takes seconds
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("epsilon", "noise"), [(1, 5.27), (3, 2.12), (8, 1.11)])
def test_epsilon_agrees_with_opacus(epsilon: float, noise: float) -> None:
    accountants = pytest.importorskip("opacus.accountants")
    other = accountants.PRVAccountant()
    other.history = [(noise, RATE, STEPS[1])]
    expected = other.get_epsilon(DELTA, eps_error=1e-3)
    ours = epsilon_of({sampled_gaussian(noise, RATE): STEPS[1]}, DELTA)
    assert ours == pytest.approx(expected, rel=0.005)


def test_gaussian_epsilon_agrees_with_the_closed_form() -> None:
    # Balle and Wang (2018), theorem 8: δ of a Gaussian mechanism at ε.
    noise, delta = 3.7, 1e-5
    epsilon = epsilon_of([Mechanism("gaussian", noise)], delta)

    def normal(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    found = normal(1 / (2 * noise) - epsilon * noise) - math.exp(epsilon) * normal(
        -1 / (2 * noise) - epsilon * noise
    )
    assert found == pytest.approx(delta, rel=0.02)


def test_laplace_events_add_up() -> None:
    one = Mechanism("laplace", 10.0)
    assert epsilon_of([one], 1e-9) == pytest.approx(0.1, rel=0.005)
    assert 0.15 < epsilon_of({one: 2}, 1e-9) <= 0.2002


def test_nothing_costs_nothing_and_no_noise_costs_everything() -> None:
    assert epsilon_of({}, DELTA) == 0
    assert epsilon_of([Mechanism("gaussian", 0.0)], DELTA) == math.inf


def test_other_reads_leave_less_for_the_steps() -> None:
    others = {Mechanism("laplace", 20.0): 1}
    alone = noise_multiplier(1.0, DELTA, steps=20, rate=0.1)
    beside = noise_multiplier(1.0, DELTA, steps=20, rate=0.1, others=others)
    assert beside > alone
    both = {**others, sampled_gaussian(beside, 0.1): 20}
    assert 0.99 <= epsilon_of(both, DELTA) <= 1.0


def test_an_epsilon_that_is_spent_is_refused() -> None:
    with pytest.raises(EpsilonUnreachableError):
        noise_multiplier(0.1, DELTA, steps=1, rate=1.0, others={Mechanism("laplace", 5.0): 1})

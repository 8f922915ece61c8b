"""Every method's gradient is that of its own loss, unrolled."""

import math

import pytest
import torch
from torch import Tensor

from iadd.distillation.distances import (
    Distance,
    Entered,
    WeightedDistance,
    WithAngles,
    corner_cosines,
    nearest_step,
)
from iadd.distillation.importance import Pruning
from iadd.distillation.matching import MatchingGradients
from tests.iadd.distillation.problem import Problem, make_problem
from tests.iadd.reference import methods
from tests.iadd.reference.methods import Loss, unrolled


def expect(problem: Problem, loss: Loss, **settings: object) -> tuple[Tensor, ...]:
    return unrolled(
        problem.network,
        problem.start,
        problem.target,
        problem.images,
        problem.labels,
        problem.indices,
        problem.syn_lr,
        problem.weights,
        loss,
        **settings,  # type: ignore[arg-type]
    )


def assert_equal(found: MatchingGradients, expected: tuple[Tensor, ...], count: int = 4) -> None:
    ours = (found.loss, found.images, found.syn_lr, found.importance_weights)
    for one, reference in list(zip(ours, expected, strict=True))[:count]:
        assert reference.norm() > 0
        assert (one - reference).norm() / reference.norm() <= 1e-9


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_distance_over_what_counts_equals_unrolled_autograd(steps: int) -> None:
    problem = make_problem(steps)
    found = problem.solve(WeightedDistance(weights=problem.weights, relative_to="weighted"))
    assert_equal(found, expect(problem, methods.over_what_counts))


def test_over_what_counts_smaller_weights_alone_change_nothing() -> None:
    problem = make_problem(3)
    loss = [
        problem.solve(WeightedDistance(weights=factor * problem.weights, relative_to=over)).loss
        for over in ("all", "weighted")  # type: ignore[list-item]
        for factor in (1.0, 0.5)
    ]
    assert loss[1] < 0.3 * loss[0]
    assert loss[3] == pytest.approx(loss[2].item(), rel=1e-12)


def near_step(problem: Problem, step: int) -> None:
    """Move the target to where the student is after a step, and a little on."""
    network, theta = problem.network, problem.start
    for batch in problem.indices[:step]:
        at = theta.clone().requires_grad_()
        logits = methods.call_with(network, at, problem.images[batch])
        loss = torch.nn.functional.cross_entropy(logits, problem.labels[batch])
        theta = theta - problem.syn_lr * torch.autograd.grad(loss, at)[0]
    generator = torch.Generator().manual_seed(step)
    noise = torch.randn(len(theta), generator=generator, dtype=torch.float64)
    problem.target = theta + 1e-3 * noise


@pytest.mark.parametrize("step", [1, 3, 5])
def test_att_equals_unrolled_autograd_at_the_nearest_step(step: int) -> None:
    problem = make_problem(5)
    near_step(problem, step)
    found = problem.solve(WeightedDistance(weights=problem.weights, step="nearest"))
    assert_equal(found, expect(problem, methods.nearest))
    later = torch.unique(torch.cat(problem.indices[step:])) if step < 5 else torch.tensor([])
    seen = torch.unique(torch.cat(problem.indices[:step]))
    unseen = [int(image) for image in later if image not in seen]
    assert not found.images[unseen].any(), "a step after the nearest one was differentiated"


def test_the_nearest_step_is_the_last_of_equals_and_never_the_start() -> None:
    target = torch.zeros(1)
    thetas = [torch.tensor([value]) for value in (0.0, 3.0, 1.0, -1.0, 2.0)]
    assert nearest_step(thetas, target) == 3


@pytest.mark.parametrize("steps", [1, 2, 3, 6])
@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_hop_tm_equals_unrolled_autograd(steps: int, factor: float) -> None:
    problem = make_problem(steps)
    generator = torch.Generator().manual_seed(1)
    before = (torch.rand(len(problem.start), generator=generator) < 0.1).double()
    middle = problem.start + 0.5 * (problem.target - problem.start) + 0.02 * problem.weights
    entered = Entered(before=before, threshold=1e-3)
    distance: Distance = WeightedDistance(weights=entered, relative_to="weighted")
    if factor:
        distance = WithAngles(distance=distance, middle=middle, factor=factor)
    found = problem.solve(distance)
    reference = methods.hop_tm(middle, before, 1e-3, factor)
    if steps == 1 and factor:
        # Nothing turns on a path of one step; a middle that is the start has no angle.
        assert found.loss.isfinite()
        return
    assert_equal(found, expect(problem, reference), count=3)
    assert 0 < found.weights.mean() < 1


def test_a_parameter_that_entered_stays() -> None:
    target = torch.zeros(3)
    first = Entered(before=torch.zeros(3), threshold=0.01)(torch.tensor([0.05, 1.0, 1.0]), target)
    second = Entered(before=first, threshold=0.01)(torch.tensor([1.0, 0.05, 1.0]), target)
    assert first.tolist() == [1, 0, 0]
    assert second.tolist() == [1, 1, 0]


def test_where_nothing_entered_there_is_no_distance_and_no_gradient() -> None:
    problem = make_problem(2)
    entered = Entered(before=torch.zeros_like(problem.start), threshold=0.0)
    found = problem.solve(WeightedDistance(weights=entered, relative_to="weighted"))
    assert found.loss == 0
    assert not found.images.any()


def test_the_corners_of_a_straight_path_are_flat() -> None:
    path = torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]], dtype=torch.float64)
    cosines = corner_cosines(path)
    assert cosines[1, 0, 2] == pytest.approx(-1), "at the middle it goes straight on"
    assert cosines[0, 1, 2] == cosines[2, 0, 1] == pytest.approx(1)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_tesla_equals_autograd_with_each_step_alone(steps: int) -> None:
    problem = make_problem(steps)
    found = problem.solve(WeightedDistance(weights=problem.weights), frozen=True)
    assert_equal(found, expect(problem, methods.last_step, each_step_alone=True))


@pytest.mark.parametrize("kept", [1, 2, 4, 6, 9])
def test_a_truncated_recursion_equals_autograd_from_a_constant_on(kept: int) -> None:
    problem = make_problem(6)
    found = problem.solve(WeightedDistance(weights=problem.weights), differentiated_steps=kept)
    expected = expect(problem, methods.last_step, constant_before=max(0, 6 - kept))
    assert_equal(found, expected)


def test_pruning_counts_what_is_alike() -> None:
    problem = make_problem(2)
    found = problem.solve(WeightedDistance(weights=Pruning(0.5)))
    problem.weights = found.weights
    assert_equal(found, expect(problem, methods.last_step), count=3)
    assert 0 < found.weights.mean() < 1
    assert math.isfinite(found.unweighted_loss.item())

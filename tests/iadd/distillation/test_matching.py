"""The adjoint recursion gives the gradients of unrolled autograd, in memory flat in J."""

import os
import subprocess
import sys

import pytest
import torch

from iadd.config import AUGMENTATIONS
from iadd.distillation.matching import MatchingGradients
from tests.iadd.distillation.problem import Problem, make_problem
from tests.iadd.reference.unrolled import unrolled_gradients


def assert_equals_unrolled(problem: Problem, found: MatchingGradients) -> None:
    loss, images, syn_lr, weights = unrolled_gradients(
        problem.network,
        problem.start,
        problem.target,
        problem.images,
        problem.labels,
        problem.indices,
        problem.syn_lr,
        problem.weights,
        problem.augment,
    )
    pairs = [
        (found.loss, loss),
        (found.images, images),
        (found.syn_lr, syn_lr),
        (found.importance_weights, weights),
    ]
    for ours, reference in pairs:
        assert reference.norm() > 0
        assert (ours - reference).norm() / reference.norm() <= 1e-9


@pytest.mark.parametrize("steps", range(1, 9))
def test_equals_unrolled_autograd(steps: int) -> None:
    problem = make_problem(steps)
    assert_equals_unrolled(problem, problem.solve())


@pytest.mark.parametrize("operation", AUGMENTATIONS)
def test_equals_unrolled_autograd_under_each_augmentation(operation: str) -> None:
    problem = make_problem(3, operations=(operation,))
    assert_equals_unrolled(problem, problem.solve())


@pytest.mark.parametrize("steps", [1, 4, 8])
@pytest.mark.parametrize("micro_batch_size", [0, 1, 2])
def test_equals_unrolled_autograd_with_mini_and_micro_batches(
    steps: int, micro_batch_size: int
) -> None:
    problem = make_problem(steps, batch=3, operations=AUGMENTATIONS)
    assert_equals_unrolled(problem, problem.solve(micro_batch_size=micro_batch_size))


def test_weights_at_one_give_the_unweighted_loss() -> None:
    problem = make_problem(2)
    problem.weights = torch.ones_like(problem.weights)
    found = problem.solve()
    assert found.loss == found.unweighted_loss


def test_a_teacher_that_did_not_move_is_refused() -> None:
    problem = make_problem(1)
    problem.target = problem.start.clone()
    with pytest.raises(ValueError, match="did not move"):
        problem.solve()


PEAK_OF_ONE_CALL = """
import resource, sys, torch
from iadd.networks.convnet import ConvNet
from iadd.distillation.distances import WeightedDistance
from iadd.distillation.matching import matching_gradients
from iadd.networks.build import flatten_parameters

torch.set_num_threads(1)
torch.manual_seed(0)
network = ConvNet(channels=1, classes=4, depth=3, width=32, image_size=32)
start = flatten_parameters(network)
images, labels = torch.randn(32, 1, 32, 32), torch.arange(32) % 4
indices = [torch.arange(32)] * int(sys.argv[1])

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

before = peak()
distance = WeightedDistance(weights=torch.ones_like(start))
matching_gradients(network, start, start + 0.01, images, labels, indices, 0.01, distance)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process in Linux's units")
def test_peak_memory_does_not_grow_with_the_steps() -> None:
    def kilobytes(steps: int) -> int:
        command = [sys.executable, "-c", PEAK_OF_ONE_CALL, str(steps)]
        # Freed blocks go back at once: else the peak shows the allocator's habits too.
        glibc = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
        finished = subprocess.run(
            command, check=True, capture_output=True, env={**os.environ, **glibc}
        )
        return int(finished.stdout)

    assert kilobytes(40) <= 1.1 * kilobytes(10)

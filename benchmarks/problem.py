"""A matching problem of any size, and the two ways to solve it.

Shapes: M distilled images, all of them in every mini-batch, J steps, P parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from iadd.config import AUGMENTATIONS, AugmentationConfig, NetworkConfig, Precision
from iadd.data.augmentation import augment, draw_augmentation
from iadd.distillation.distances import Distance, WeightedDistance
from iadd.distillation.matching import MatchingGradients, StepAugmentation, matching_gradients
from iadd.distillation.student import Steps, StudentSteps, student_steps
from iadd.networks.build import build_network, flatten_parameters
from iadd.runtime.precision import computing_at
from iadd.runtime.seed import make_generator
from tests.iadd.reference.unrolled import unrolled_gradients


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a problem is made of; the defaults are the paper's X-rays at batch 16."""

    width: int = 128
    depth: int = 5
    image_size: int = 112
    channels: int = 1
    classes: int = 4
    batch: int = 16
    steps: int = 3


@dataclass(frozen=True)
class Problem:
    """Random images, a random teacher, and the augmentation of every step."""

    network: nn.Module
    start: Tensor
    target: Tensor
    images: Tensor
    labels: Tensor
    indices: list[Tensor]
    syn_lr: Tensor
    weights: Tensor
    augment: StepAugmentation | None
    precision: Precision

    @classmethod
    def make(
        cls,
        size: Size,
        *,
        precision: Precision = "float32",
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        operations: tuple[str, ...] = AUGMENTATIONS,
    ) -> "Problem":
        """Draw a problem, the same one each time."""
        generator = make_generator(0, "benchmark")
        network = build_network(
            NetworkConfig(depth=size.depth, width=size.width),
            channels=size.channels,
            classes=size.classes,
            image_size=size.image_size,
            seed=0,
            precision=precision,
        ).to(device, dtype)
        start = flatten_parameters(network)
        shape = (size.batch, size.channels, size.image_size, size.image_size)
        settings = AugmentationConfig(augmentation=operations)
        draws = [draw_augmentation(settings, size.batch, generator) for _ in range(size.steps)]

        def augment_step(images: Tensor, step: int, part: slice) -> Tensor:
            return augment(images, draws[step].part(part), settings)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator).to(device, dtype)

        return cls(
            network=network,
            start=start,
            target=start + 0.01 * normal(len(start)),
            images=normal(*shape),
            labels=torch.arange(size.batch, device=device) % size.classes,
            indices=[
                torch.randperm(size.batch, generator=generator).to(device)
                for _ in range(size.steps)
            ],
            syn_lr=torch.tensor(0.01, dtype=dtype, device=device),
            weights=1 - 0.1 * normal(len(start)).sigmoid(),
            augment=augment_step if operations else None,
            precision=precision,
        )

    def arguments(self, distance: Distance | Tensor) -> tuple[Any, ...]:
        """What both solutions are called with; the plain one takes W and knows one distance."""
        return (
            self.network,
            self.start,
            self.target,
            self.images,
            self.labels,
            self.indices,
            self.syn_lr,
            distance,
            self.augment,
        )

    def ours(self, *, compiled: bool, automatic: bool = False) -> Callable[[], MatchingGradients]:
        """The adjoint recursion, to be called many times.

        Args:
            compiled: Compile its steps.
            automatic: Differentiate them automatically, also where they are by hand otherwise.
        """
        if automatic:
            steps: Steps = StudentSteps(self.network, compiled=compiled)
        else:
            steps = student_steps(
                self.network,
                image_size=self.images.shape[-1],
                compiled=compiled,
                device=self.images.device,
            )
        arguments = self.arguments(WeightedDistance(weights=self.weights))

        def solve() -> MatchingGradients:
            with computing_at(self.precision):
                return matching_gradients(*arguments, kept_steps=len(self.indices), steps=steps)

        return solve

    def unrolled(self, memory_format: torch.memory_format) -> Callable[[], tuple[Tensor, ...]]:
        """The plain implementation, to be called many times."""

        def solve() -> tuple[Tensor, ...]:
            with computing_at(self.precision):
                return unrolled_gradients(
                    *self.arguments(self.weights), memory_format=memory_format
                )

        return solve


Solution = MatchingGradients | tuple[Tensor, ...]


def relative_error(found: Solution, expected: Solution) -> float:
    """The largest of the relative errors of the loss and its three gradients."""
    return max(
        ((one.double() - reference.double()).norm() / reference.double().norm()).item()
        for one, reference in zip(_gradients(found), _gradients(expected), strict=True)
    )


def _gradients(solution: Solution) -> tuple[Tensor, ...]:
    if isinstance(solution, tuple):
        return solution
    return (solution.loss, solution.images, solution.syn_lr, solution.importance_weights)

"""A small matching problem in float64."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from iadd.config import AugmentationConfig
from iadd.data.augmentation import augment, draw_augmentation
from iadd.distillation.distances import Distance, WeightedDistance
from iadd.distillation.matching import MatchingGradients, StepAugmentation, matching_gradients
from iadd.networks.build import flatten_parameters
from iadd.networks.convnet import ConvNet


@dataclass
class Problem:
    """A random matching problem in float64."""

    network: nn.Module
    start: Tensor
    target: Tensor
    images: Tensor
    labels: Tensor
    indices: list[Tensor]
    syn_lr: Tensor
    weights: Tensor
    augment: StepAugmentation | None

    def solve(self, distance: Distance | None = None, **settings: Any) -> MatchingGradients:
        """Differentiate it by the recursion; the paper's distance unless given."""
        return matching_gradients(
            self.network,
            self.start,
            self.target,
            self.images,
            self.labels,
            self.indices,
            self.syn_lr,
            distance or WeightedDistance(weights=self.weights),
            self.augment,
            **settings,
        )


def make_problem(steps: int, *, batch: int = 0, operations: tuple[str, ...] = ()) -> Problem:
    generator = torch.Generator().manual_seed(steps)
    network = ConvNet(channels=1, classes=3, depth=2, width=4, image_size=8).double()
    start = flatten_parameters(network)
    images = torch.randn(7, 1, 8, 8, generator=generator, dtype=torch.float64)
    size = batch or len(images)
    order = torch.cat([torch.randperm(len(images), generator=generator) for _ in range(steps)])
    indices = [order[step * size : (step + 1) * size] for step in range(steps)]
    settings = AugmentationConfig(augmentation=operations)
    draws = [draw_augmentation(settings, size, generator) for _ in range(steps)]

    def augment_step(images: Tensor, step: int, part: slice) -> Tensor:
        return augment(images, draws[step].part(part), settings)

    return Problem(
        network=network,
        start=start,
        target=start + 0.05 * torch.randn(len(start), generator=generator, dtype=torch.float64),
        images=images,
        labels=torch.arange(7) % 3,
        indices=indices,
        syn_lr=torch.tensor(0.3, dtype=torch.float64),
        weights=torch.rand(len(start), generator=generator, dtype=torch.float64),
        augment=augment_step if operations else None,
    )

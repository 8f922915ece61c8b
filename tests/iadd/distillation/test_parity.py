"""Every network, precision and augmentation gives the gradients of unrolled float64 autograd."""

from dataclasses import dataclass
from functools import lru_cache

import pytest
import torch
from torch import Tensor, nn

from iadd.config import AUGMENTATIONS, AugmentationConfig, NetworkConfig, Precision
from iadd.data.augmentation import augment, draw_augmentation
from iadd.distillation.distances import WeightedDistance
from iadd.distillation.matching import StepAugmentation, matching_gradients
from iadd.distillation.student import student_steps
from iadd.networks.build import build_network, flatten_parameters
from iadd.networks.layers import set_precision
from iadd.runtime.precision import computing_at
from tests.iadd.reference.unrolled import unrolled_gradients

SLACK = 4.0
"""How much farther than unrolled autograd at the same precision we may be from float64. Both sum in
orders of their own, and where a rounded activation changes sign a whole path of the gradient does
too: the effect of a precision depends on the network, and is measured on the reference itself, over
all augmentations together."""
ROUNDING = {"float64": 1e-9, "float32": 1e-5, "tf32": 1e-3, "bfloat16": 1e-2}
"""Differences that any order of sums may make."""

SMALL = {f"convnet_d{depth}": NetworkConfig(depth=depth, width=8) for depth in (3, 4, 5)}
LARGE = {name: NetworkConfig(network=name) for name in ("alexnet", "vgg11", "resnet18")}
OF_LARGE = ("crop", "color", "cutout")
"""Augmentations tried with large networks, one that moves, one that colours, one that hides: each
takes seconds, and none knows the network."""
NETWORKS = [
    *(pytest.param(config, id=name) for name, config in SMALL.items()),
    *(pytest.param(config, id=name, marks=pytest.mark.slow) for name, config in LARGE.items()),
]

Gradients = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass
class Case:
    """A matching problem of two steps on one network."""

    network: nn.Module
    start: Tensor
    target: Tensor
    images: Tensor
    labels: Tensor
    indices: list[Tensor]
    weights: Tensor
    syn_lr: Tensor
    augment: StepAugmentation

    def ours(self, *, compiled: bool) -> Gradients:
        found = matching_gradients(
            self.network,
            self.start,
            self.target,
            self.images,
            self.labels,
            self.indices,
            self.syn_lr,
            WeightedDistance(weights=self.weights),
            self.augment,
            kept_steps=1,
            steps=student_steps(
                self.network,
                image_size=self.images.shape[-1],
                compiled=compiled,
                device=self.images.device,
            ),
        )
        return found.loss, found.images, found.syn_lr, found.importance_weights

    def unrolled(self) -> Gradients:
        return unrolled_gradients(
            self.network,
            self.start,
            self.target,
            self.images,
            self.labels,
            self.indices,
            self.syn_lr,
            self.weights,
            self.augment,
        )


def make_case(config: NetworkConfig, precision: str, operation: str, device: str = "cpu") -> Case:
    """The same problem at any precision and on any device."""
    settings = AugmentationConfig(augmentation=(operation,))
    generator = torch.Generator().manual_seed(1)
    draws = [draw_augmentation(settings, 2, generator) for _ in range(2)]
    dtype = torch.float64 if precision == "float64" else torch.float32
    # The large networks take half a minute a gradient at 32 pixels in float64.
    size = 32 if config.network == "convnet" else 16
    network = build_network(config, channels=1, classes=3, image_size=size, seed=5)
    set_precision(network, rounding(precision))
    start = flatten_parameters(network).double()
    numbers = {
        "start": start,
        "target": start + 0.01 * torch.randn(len(start), generator=generator).double(),
        "images": torch.randn(3, 1, size, size, generator=generator).double(),
        "weights": torch.rand(len(start), generator=generator).double(),
        "syn_lr": torch.tensor(0.02).double(),
    }
    return Case(
        network=network.to(device=device, dtype=dtype),
        labels=torch.tensor([0, 1, 2], device=device),
        indices=[torch.tensor([0, 1], device=device), torch.tensor([2, 1], device=device)],
        augment=lambda images, step, part: augment(images, draws[step].part(part), settings),
        **{name: tensor.to(device=device, dtype=dtype) for name, tensor in numbers.items()},
    )


def rounding(precision: str) -> Precision:
    names: dict[str, Precision] = {"tf32": "tf32", "bfloat16": "bfloat16"}
    return names.get(precision, "float32")


@lru_cache(maxsize=64)
def reference(config: NetworkConfig, operation: str) -> Gradients:
    return make_case(config, "float64", operation).unrolled()


def distance(found: Gradients, exact: Gradients) -> float:
    """Largest relative difference of the loss and the three gradients."""
    return max(
        float((ours.double().cpu() - theirs).norm() / theirs.norm())
        for ours, theirs in zip(found, exact, strict=True)
    )


def assert_as_exact_as_unrolled(
    config: NetworkConfig,
    precision: str,
    *,
    operations: tuple[str, ...] = AUGMENTATIONS,
    device: str = "cpu",
    compiled: bool = False,
) -> None:
    ours, unrolled = [], []
    with computing_at(rounding(precision)):
        for operation in operations:
            exact = reference(config, operation)
            case = make_case(config, precision, operation, device)
            ours.append(distance(case.ours(compiled=compiled), exact))
            if (precision, device) != ("float64", "cpu"):  # else it is the reference itself
                unrolled.append(distance(case.unrolled(), exact))
    assert max(ours) <= ROUNDING[precision] + SLACK * max(unrolled, default=0.0)


@pytest.mark.parametrize("config", NETWORKS)
@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
def test_gradients_under_every_augmentation_are_as_exact_as_unrolled_ones(
    config: NetworkConfig, precision: str
) -> None:
    operations = AUGMENTATIONS if config in SMALL.values() else OF_LARGE
    assert_as_exact_as_unrolled(config, precision, operations=operations)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
def test_compiled_gradients_are_as_exact_as_unrolled_ones(precision: str) -> None:
    """By hand, and at bfloat16 automatically."""
    assert_as_exact_as_unrolled(
        SMALL["convnet_d3"], precision, operations=("scale",), compiled=True
    )


@pytest.mark.gpu
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("precision", list(ROUNDING))
@pytest.mark.parametrize("config", NETWORKS)
def test_gradients_on_a_gpu_are_as_exact_as_unrolled_ones(
    config: NetworkConfig, precision: str, compiled: bool
) -> None:
    assert_as_exact_as_unrolled(config, precision, device="cuda", compiled=compiled)

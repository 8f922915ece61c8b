"""Counts the computation of a run before it starts.

The unit is the image pass (one image, once forwards and once backwards through the network) where
the speed is measured and only proportions are needed, and the floating point operation (FLOP) where
it is not.
"""

from collections.abc import Mapping
from functools import lru_cache

import torch

from iadd.config import Config, NetworkConfig, NetworkName
from iadd.networks.build import build_network
from iadd.runtime.flops import count_flops
from iadd.training.concurrency import bytes_for_reverse_pass

PASSES_OF_TRAINING = 3
"""Convolutions per layer, image and training step: forwards, and the gradients of the layer's
input and weight."""

PASSES_OF_MATCHING = 11
"""Convolutions per layer, image and student step: three of the student's own gradient, and eight
of the adjoint step, which are the forward pass and its directional derivative (three) and the
gradients of those three for their inputs (five: two of the inputs need none)."""

MATCHING_PASSES = 4.0
"""Image passes of a student step: 11 convolutions are 3⅔ passes, and the rest (norms,
augmentation, the updates) adds up to four."""


FLOPS_PER_BYTE = 72.0
"""FLOPs that take as long as moving a byte of what a training step keeps for its reverse pass. With
it the costs of the networks of :mod:`iadd.networks.build` are in proportion within a fifth on one
core, ConvNets of 16 to 128 filters included; by FLOPs alone the narrow one, which is bound by
memory, would look six times as fast as it is."""


def matching_flops(config: Config, *, channels: int, classes: int) -> float:
    """Estimate the FLOPs of a whole distillation, without its validations.

    Convolutions and matrix products are counted by arithmetic: the result is the same on every
    machine, and within a tenth of the count of a run (first and last layers differ).
    """
    distillation = config.distillation
    images = distillation.iterations * distillation.syn_steps * matching_batch(config, classes)
    forward = forward_flops(
        config.network, channels=channels, classes=classes, image_size=config.image_size
    )
    return float(PASSES_OF_MATCHING * forward * images)


def teaching_flops(config: Config, *, channels: int, classes: int, images: int) -> float:
    """Estimate the FLOPs of one teacher whose epochs show ``images`` images."""
    forward = forward_flops(
        config.network, channels=channels, classes=classes, image_size=config.image_size
    )
    passes = images * config.teacher.teacher_epochs * gradients_per_step(config)
    return float(PASSES_OF_TRAINING * forward * passes)


def teaching_steps(config: Config, images: int) -> int:
    """Count the gradients that one teacher computes, one after the other."""
    batches = -(-images // config.teacher.teacher_batch_size)
    return config.teacher.teacher_epochs * batches * gradients_per_step(config)


def gradients_per_step(config: Config) -> int:
    """Count the gradients in a teacher's step: sharpness-aware steps take two."""
    return 2 if config.teacher.teacher_flatness > 0 else 1


@lru_cache(maxsize=64)
def forward_flops(network: NetworkConfig, *, channels: int, classes: int, image_size: int) -> int:
    """Count the FLOPs of one image's forward pass through a network."""
    with torch.device("meta"):
        network_on_meta = build_network(
            network, channels=channels, classes=classes, image_size=image_size, seed=0
        )
        image = torch.empty(1, channels, image_size, image_size)
    with torch.no_grad():
        return int(count_flops(lambda: network_on_meta(image)))


@lru_cache(maxsize=64)
def cost_of_an_image(network: NetworkConfig, *, image_size: int) -> float:
    """Estimate the cost of training a network on one image, in FLOPs; for proportions only."""
    # Channels and classes change the first and the last layer, and hardly change the cost.
    forward = forward_flops(network, channels=1, classes=2, image_size=image_size)
    with torch.device("meta"):
        network_on_meta = build_network(
            network, channels=1, classes=2, image_size=image_size, seed=0
        )
    kept = bytes_for_reverse_pass(network_on_meta, (1, image_size, image_size))
    return forward + FLOPS_PER_BYTE * kept


def matching_batch(config: Config, classes: int) -> int:
    """Count the distilled images per student step."""
    small = config.distillation.images_per_class * classes
    return min(config.distillation.syn_batch_size or small, small)


def validations(config: Config) -> int:
    """Count the evaluations on the validation split, at the start and during a distillation."""
    every, iterations = config.distillation.validate_every, config.distillation.iterations
    return 1 + -(-iterations // every) if every else 0


def images_per_epoch(config: Config, train: Mapping[str, int]) -> int:
    """Count the training images that a teacher sees in an epoch.

    Args:
        config: Settings of the run.
        train: Training images of each class.
    """
    if config.teacher.teacher_sampling == "balanced":
        return min(train.values()) * len(train)
    return sum(train.values())


def evaluation_cost(config: Config, *, small: int, train: int) -> dict[str, float]:
    """Count the image passes of the three parts of an evaluation.

    Args:
        config: Settings of the run.
        small: Distilled images in all.
        train: Training images in all.
    """
    evaluation = config.evaluation
    trials = len(evaluation.baseline_lrs) * config.distillation.validation_networks
    each = small * evaluation.evaluation_epochs
    return {
        "distilled": evaluation.evaluation_networks * each,
        "random": (trials + evaluation.evaluation_networks) * each,
        "full": evaluation.evaluation_networks * train * evaluation.full_epochs,
    }


def cross_network_cost(config: Config, *, small: int) -> dict[NetworkName, dict[str, float]]:
    """Count the image passes of the evaluations on other networks.

    Args:
        config: Settings of the run.
        small: Distilled images in all.

    Returns:
        By network, for the ``distilled`` set and for the ``random`` ones: the number of passes of
        the run's own network that take as long.
    """
    own, size = cost_of_an_image(config.network, image_size=config.image_size), config.image_size
    rates, costs = len(config.evaluation.baseline_lrs), dict[NetworkName, dict[str, float]]()
    for name in config.other_networks():
        other = config.across(name)
        cost = cost_of_an_image(other.network, image_size=size)
        each = small * other.evaluation.evaluation_epochs * cost / own
        trials = other.distillation.validation_networks
        networks = other.evaluation.evaluation_networks
        costs[name] = {
            # α is one more rate to try.
            "distilled": ((rates + 1) * trials + networks) * each,
            "random": (rates * trials + networks) * each,
        }
    return costs


def job_cost(
    config: Config, *, classes: int, train: int, per_epoch: int | None = None
) -> dict[str, float]:
    """Count the image passes of the long phases.

    Args:
        config: Settings of the run.
        classes: Number of classes.
        train: Training images in all.
        per_epoch: Images that a teacher sees in an epoch; all of them unless given.

    Returns:
        By phase: ``teaching``, ``distilling``, ``evaluating``.
    """
    distillation, teacher = config.distillation, config.teacher
    small = distillation.images_per_class * classes
    epoch = train if per_epoch is None else per_epoch
    steps = distillation.iterations * distillation.syn_steps
    validation = distillation.validation_networks * config.evaluation.evaluation_epochs * small
    return {
        "teaching": teacher.teachers * teacher.teacher_epochs * epoch * gradients_per_step(config),
        "distilling": steps * matching_batch(config, classes) * MATCHING_PASSES
        + validations(config) * validation,
        "evaluating": sum(evaluation_cost(config, small=small, train=train).values())
        + sum(sum(parts.values()) for parts in cross_network_cost(config, small=small).values()),
    }

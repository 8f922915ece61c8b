"""Floating point operations of a run, counted before it starts."""

from functools import lru_cache

import torch

from iadd.config import Config, NetworkConfig
from iadd.counts import matching_passes, teaching_passes
from iadd.networks.build import build_network
from iadd.runtime.flops import count_operations
from iadd.training.concurrency import bytes_for_reverse_pass

OPERATIONS_PER_BYTE = 72.0
"""Floating point operations that take as long as moving a byte of what a training step keeps for
its reverse pass. With it the networks of :mod:`iadd.networks.build` are in proportion within a
fifth on one core, ConvNets of 16 to 128 filters included; by operations alone the narrow one, which
memory holds back, would look six times as fast as it is."""


def matching_operations(config: Config, *, channels: int, classes: int) -> float:
    """Floating point operations of a whole distillation, without its validations.

    Those of convolutions and matrix products, by arithmetic: the same on every machine, and
    within a tenth of what is counted in a run (first and last layers differ).
    """
    forward = forward_operations(
        config.network, channels=channels, classes=classes, image_size=config.image_size
    )
    return float(forward * matching_passes(config, classes))


def teaching_operations(config: Config, *, channels: int, classes: int, images: int) -> float:
    """Floating point operations of one teacher whose epochs show so many images."""
    forward = forward_operations(
        config.network, channels=channels, classes=classes, image_size=config.image_size
    )
    return float(forward * teaching_passes(config, images))


@lru_cache(maxsize=64)
def forward_operations(
    network: NetworkConfig, *, channels: int, classes: int, image_size: int
) -> int:
    """Floating point operations of one image's way through a network."""
    with torch.device("meta"):
        form = build_network(
            network, channels=channels, classes=classes, image_size=image_size, seed=0
        )
        image = torch.empty(1, channels, image_size, image_size)
    with torch.no_grad():
        return int(count_operations(lambda: form(image)))


@lru_cache(maxsize=64)
def cost_of_an_image(network: NetworkConfig, *, image_size: int) -> float:
    """What it costs to train a network on one image, in operations; fit for proportions alone."""
    # Channels and classes change the first and the last layer, and next to nothing here.
    forward = forward_operations(network, channels=1, classes=2, image_size=image_size)
    with torch.device("meta"):
        form = build_network(network, channels=1, classes=2, image_size=image_size, seed=0)
    kept = bytes_for_reverse_pass(form, (1, image_size, image_size))
    return forward + OPERATIONS_PER_BYTE * kept

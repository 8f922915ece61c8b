"""Counts the floating point operations (FLOPs) of a run before it starts."""

from functools import lru_cache

import torch

from iadd.config import Config, NetworkConfig
from iadd.counts import (
    is_by_hand,
    matching_passes,
    matching_steps,
    seconds_saved_by_hand,
    teaching_passes,
)
from iadd.networks.build import build_network
from iadd.runtime.compile import seconds_saved
from iadd.runtime.flops import count_flops
from iadd.training.concurrency import bytes_for_reverse_pass

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
    forward = forward_flops(
        config.network, channels=channels, classes=classes, image_size=config.image_size
    )
    return float(forward * matching_passes(config, classes))


def matching_saving(
    config: Config, device: torch.device | str, *, channels: int, classes: int
) -> float:
    """Estimate the seconds that compiled student steps save in a whole distillation."""
    if is_by_hand(config, torch.device(device).type):
        return seconds_saved_by_hand(config, channels=channels, classes=classes)
    flops = matching_flops(config, channels=channels, classes=classes)
    return seconds_saved(flops, device, steps=matching_steps(config))


def teaching_flops(config: Config, *, channels: int, classes: int, images: int) -> float:
    """Estimate the FLOPs of one teacher whose epochs show ``images`` images."""
    forward = forward_flops(
        config.network, channels=channels, classes=classes, image_size=config.image_size
    )
    return float(forward * teaching_passes(config, images))


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

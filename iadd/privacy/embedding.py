"""Embeds images by a network's features in front of its classifier."""

import torch
import torch.nn.functional as F
from torch import Tensor

from iadd.data.normalisation import Normalisation
from iadd.networks.base import Classifier
from iadd.networks.convnet import ConvNet
from iadd.privacy.nearest_neighbours import Embed

_SIDE = 56
_WIDTH = 32
_SMALLEST_MAP = 3
_SEED = 0


def penultimate_features(network: Classifier, normalisation: Normalisation) -> Embed:
    """Use a trained network, such as a teacher's last snapshot, as the embedding.

    Args:
        network: Its parameters are read when the embedding is called.
        normalisation: Normalisation that the network was trained with.

    Returns:
        A callable from intensities (N, C, H, W) in 0..1 to features (N, D), on the CPU.
    """

    @torch.no_grad()
    def embed(intensities: Tensor) -> Tensor:
        device = next(network.parameters()).device
        return network.features(normalisation.apply(intensities * 255).to(device)).cpu()

    return embed


def untrained_features(channels: int, image_size: int) -> Embed:
    """Make the default embedding: a ConvNet initialised from a fixed seed.

    Random convolutions with instance norm compare edges and textures whatever the exposure, unlike
    pixels; and they have learnt from no image. Large images are first reduced to 56 pixels, so that
    thousands take seconds.
    """
    side = min(image_size, _SIDE)
    depth = 1
    while side >> (depth + 1) >= _SMALLEST_MAP:
        depth += 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        network = ConvNet(channels=channels, classes=1, depth=depth, width=_WIDTH, image_size=side)

    @torch.no_grad()
    def embed(intensities: Tensor) -> Tensor:
        small = intensities
        if image_size > side:
            small = F.interpolate(intensities, size=(side, side), mode="bilinear", antialias=True)
        return network.features((small - 0.5) / 0.25)

    return embed

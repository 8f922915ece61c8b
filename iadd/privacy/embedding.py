"""Embeds images by a trained network's features in front of its classifier."""

import torch
from torch import Tensor

from iadd.data.normalisation import Normalisation
from iadd.networks.base import Classifier
from iadd.privacy.nearest_neighbours import Embed


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

"""Images that triggers are tried on, and what networks answer to them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.distillation.initialisation import public_start
from iadd.networks.base import Classifier
from iadd.runtime.seed import make_generator

FEWEST_PROBES = 8
"""Probes of other classes below which a class is not tried."""

TOO_FEW = "Too few probes are of another class in the eyes of all networks."

_PUBLIC = 32
_MOST = 200


def choose_probes(distilled: DistilledDataset, own: ImageSet | None) -> Tensor:
    """Return intensities (N, C, H, W) in 0..1 that triggers are tried on."""
    if own is not None:
        chosen = torch.randperm(len(own), generator=make_generator(0, "probes"))[:_MOST]
        return own.images[chosen].float() / 255
    normalisation = distilled.normalisation
    shape = (_PUBLIC, *distilled.images.shape[1:])
    chests = normalisation.to_intensities(public_start(shape, seed=0))
    ours = normalisation.to_intensities(distilled.images)[:_MOST]
    return torch.cat([chests, ours]).clamp(0, 1)


def answers_of(
    networks: Sequence[Classifier], probes: Tensor, normalisation: Normalisation
) -> Tensor:
    """Return the class of each probe for each network, (V, N)."""
    normalised = normalisation.of_intensities(probes)
    return torch.stack([network(normalised).argmax(dim=1) for network in networks])

"""Finds the training image that resembles each distilled image most, to show them side by side."""

import torch
from torch import Tensor
from torch.nn import functional as F

_SIZE = 32
"""Pixels a side at which images are compared: an X-ray's shape, without its noise."""

_CHUNK = 2048


def nearest_of_class(
    pictures: Tensor, labels: Tensor, training: Tensor, training_labels: Tensor
) -> Tensor:
    """Return the row of the training image of the same class that each picture resembles most.

    Likeness is the correlation of the pixels, so that brightness and contrast do not matter.

    Args:
        pictures: Distilled images, uint8 (M, C, H, W).
        labels: Their classes, int64 (M,).
        training: Training images, uint8 (N, C, H, W).
        training_labels: Their classes, int64 (N,).

    Returns:
        (M,) int64, rows of `training`; −1 where its class has no training image.
    """
    best = torch.full((len(pictures),), -2.0)
    rows = torch.full((len(pictures),), -1, dtype=torch.int64)
    mine = _describe(pictures)
    for first in range(0, len(training), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        alike = mine @ _describe(training[chunk]).T
        alike[labels[:, None] != training_labels[chunk][None, :]] = -2.0
        value, place = alike.max(dim=1)
        better = value > best
        best[better], rows[better] = value[better], place[better] + first
    return rows


def _describe(images: Tensor) -> Tensor:
    """Return rows (N, D) of mean 0 and norm 1."""
    size = min(_SIZE, *images.shape[-2:])
    small = F.interpolate(images.float(), size=(size, size), mode="area").flatten(1)
    return F.normalize(small - small.mean(dim=1, keepdim=True))

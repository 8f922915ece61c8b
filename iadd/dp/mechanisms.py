"""What noisy sums over units are made of: low frequencies, clipping, calibration.

Shapes: N units, C channels, H = W pixels, k frequencies, K classes, D entries of a vector.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

SIDE = 8
"""Frequencies per axis below which a smooth mean is kept, where i + j < SIDE."""

COUNT_WEIGHT = 0.25
"""Share of a class that an image counts for, in units of intensity, beside its frequencies."""

IMAGE_NORM = 0.25
"""Norm to which the low frequencies of one image are clipped: root mean square of intensity minus
a half, over the image. X-rays in 8 bits lie between 0.15 and 0.3."""


def clip(vectors: Tensor, norm: float, *, order: int = 2) -> Tensor:
    """Shorten vectors to a norm at most; one that is not finite becomes 0.

    Args:
        vectors: (N, D).
        norm: Largest norm.
        order: 2 for Gaussian, 1 for Laplace noise.

    Returns:
        (N, D).
    """
    norms = torch.linalg.vector_norm(vectors, ord=order, dim=1, keepdim=True)
    factors = (norm / norms.clamp(min=torch.finfo(vectors.dtype).tiny)).clamp(max=1)
    clipped = vectors * factors
    # One broken gradient would show in the sum whatever the noise.
    return torch.where(norms.isfinite(), clipped, torch.zeros_like(clipped))


def low_frequencies(images: Tensor) -> Tensor:
    """Compute the low frequencies of an orthonormal cosine transform (DCT-II).

    Args:
        images: (N, C, H, W), any numbers.

    Returns:
        (N, C·k), scaled so that the norm is the root mean square of the smooth image.
    """
    rows, columns = (_cosines(size, images.device) for size in images.shape[-2:])
    spectrum = rows @ images @ columns.T
    keep = _triangle(images.device)
    return (spectrum[..., keep] / math.sqrt(images.shape[-2] * images.shape[-1])).flatten(1)


def smooth_images(frequencies: Tensor, *, channels: int, size: int) -> Tensor:
    """Invert :func:`low_frequencies`: images without the other frequencies.

    Args:
        frequencies: (N, C·k).
        channels: C.
        size: H = W.

    Returns:
        (N, C, H, W).
    """
    cosines, keep = _cosines(size, frequencies.device), _triangle(frequencies.device)
    spectrum = frequencies.new_zeros(len(frequencies), channels, SIDE, SIDE)
    spectrum[..., keep] = frequencies.view(len(frequencies), channels, -1) * size
    return cosines.T @ spectrum @ cosines


@lru_cache(maxsize=16)
def _cosines(size: int, device: torch.device) -> Tensor:
    """The first SIDE rows of the orthonormal DCT-II matrix, (SIDE, size); zeros above `size`."""
    points = (torch.arange(size, dtype=torch.float64) + 0.5) * (math.pi / size)
    waves = torch.arange(SIDE, dtype=torch.float64)[:, None]
    rows = (waves * points).cos() * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    rows[size:] = 0
    return rows.float().to(device)


@lru_cache(maxsize=16)
def _triangle(device: torch.device) -> Tensor:
    waves = torch.arange(SIDE, device=device)
    return waves[:, None] + waves < SIDE

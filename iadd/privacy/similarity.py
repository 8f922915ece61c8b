"""Computes distances between images: pixels and structural similarity.

Shapes: M queries, R records, K candidates per query, C channels, H and W pixels. Intensities are
float32 in 0..1, and every distance is 0 between equal images.
"""

import torch
from torch import Tensor

_SSIM_WINDOW = 11
_SSIM_SIGMA = 1.5
_SSIM_C1 = 0.01**2
_SSIM_C2 = 0.03**2


def euclidean(queries: Tensor, records: Tensor) -> Tensor:
    """Compute the distances between all rows, ‖q − r‖₂.

    Args:
        queries: (M, D).
        records: (R, D).

    Returns:
        (M, R). One matrix product; near zero it is exact to about 1e-3 of the rows' norms.
    """
    squares = (
        queries.square().sum(1, keepdim=True)
        + records.square().sum(1)
        - 2.0 * (queries @ records.T)
    )
    return squares.clamp_min_(0.0).sqrt_()


def structural_distance(query: Tensor, candidates: Tensor) -> Tensor:
    """Compute 1 − SSIM of one image with each candidate (Wang et al., IEEE TIP 2004).

    The window is the published one, Gaussian, 11×11, σ = 1.5 (smaller on smaller images), at
    every position where it fits. A product with a banded matrix from either side costs a fraction
    of a convolution on CPU.

    Args:
        query: (C, H, W).
        candidates: (K, C, H, W).

    Returns:
        (K,), in 0..2.
    """
    height, width = query.shape[-2:]
    rows, columns = _smoothing(height), _smoothing(width).T

    def smooth(images: Tensor) -> Tensor:
        return rows @ images @ columns

    mean_q, mean_c = smooth(query), smooth(candidates)
    variance_q = smooth(query * query) - mean_q * mean_q
    variance_c = smooth(candidates * candidates) - mean_c * mean_c
    covariance = smooth(query * candidates) - mean_q * mean_c
    luminance = (2.0 * mean_q * mean_c + _SSIM_C1) / (mean_q**2 + mean_c**2 + _SSIM_C1)
    structure = (2.0 * covariance + _SSIM_C2) / (variance_q + variance_c + _SSIM_C2)
    return 1.0 - (luminance * structure).mean(dim=(1, 2, 3))


def _smoothing(size: int) -> Tensor:
    """Make the matrix of Gaussian averages along one side, (positions, size)."""
    window = min(_SSIM_WINDOW, size)
    offsets = torch.arange(window) - (window - 1) / 2.0
    weights = torch.exp(-offsets.square() / (2.0 * _SSIM_SIGMA**2))
    weights = weights / weights.sum()
    positions = size - window + 1
    matrix = torch.zeros(positions, size)
    for position in range(positions):
        matrix[position, position : position + window] = weights
    return matrix

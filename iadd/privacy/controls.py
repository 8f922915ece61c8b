"""Makes the controls: images with a known outcome, which show whether the metrics have power."""

import torch
from torch import Tensor

_NOISE = 0.02
_CONTRAST = 1.05
_BRIGHTNESS = 0.015


def perturb(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change real images as lightly as another export would: exposure and a little noise.

    Args:
        images: uint8 (N, C, H, W).
        generator: Draws the noise.

    Returns:
        uint8 (N, C, H, W), which a person would call the same picture.
    """
    noise = torch.randn(images.shape, generator=generator) * _NOISE
    changed = images.float() / 255.0 * _CONTRAST + _BRIGHTNESS + noise
    return (changed * 255.0).round().clamp(0, 255).to(torch.uint8)


def draw_like(labels: Tensor, pool_labels: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a different image of the class of each label, as far as the pool has enough.

    Args:
        labels: int64 (M,), the requested classes.
        pool_labels: int64 (R,), the classes of the pool.
        generator: Source of random numbers.

    Returns:
        int64, at most M different rows of the pool.
    """
    rows = []
    for label in labels.unique():
        pool = (pool_labels == label).nonzero()[:, 0]
        wanted = int((labels == label).sum())
        rows.append(pool[torch.randperm(len(pool), generator=generator)[:wanted]])
    return torch.cat(rows)

"""Differentiable Siamese augmentation (Zhao and Bilen, ICML 2021), the paper's 𝒜 in eq. 2.

Each step draws one operation, with separate parameters for every image. A draw holds numbers, not
a generator's state, so that the backward sweep of the matching loss replays it exactly, in
micro-batches too.

Shapes: N images, C channels, H = W pixels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from iadd.config import AugmentationConfig

_UNIFORMS = 4


@dataclass(frozen=True)
class AugmentationDraw:
    """The augmentation of one step.

    Attributes:
        operation: One of ``AugmentationConfig.augmentation``, or None for no change.
        uniforms: (N, 4), in [0, 1): each operation reads as many columns as it needs.
    """

    operation: str | None
    uniforms: Tensor

    def part(self, part: slice) -> "AugmentationDraw":
        """Return the draw of some of the images."""
        return AugmentationDraw(self.operation, self.uniforms[part])


def draw_augmentation(
    config: AugmentationConfig, images: int, generator: torch.Generator
) -> AugmentationDraw:
    """Draw one step's operation and its parameters for ``images`` images.

    The numbers are drawn on the CPU, so that a seed means the same on every device.
    """
    operations = config.augmentation
    uniforms = torch.rand(images, _UNIFORMS, generator=generator)
    if not operations:
        return AugmentationDraw(None, uniforms)
    choice = int(torch.randint(len(operations), (), generator=generator))
    return AugmentationDraw(operations[choice], uniforms)


def augment(images: Tensor, draw: AugmentationDraw, config: AugmentationConfig) -> Tensor:
    """Apply a draw. Differentiable in the images.

    Args:
        images: (N, C, H, W), normalised: zero is the mean intensity, and fills what moves in.
        draw: The draw for these N images.
        config: Ranges of the operations.

    Returns:
        (N, C, H, W).
    """
    if draw.operation is None:
        return images
    uniforms = draw.uniforms.to(device=images.device, dtype=images.dtype)
    return _OPERATIONS[draw.operation](images, uniforms, config)


def _color(images: Tensor, uniforms: Tensor, config: AugmentationConfig) -> Tensor:
    brightness, saturation, contrast = uniforms[:, :3].T[..., None, None, None]
    images = images + (brightness - 0.5) * config.brightness
    if images.shape[1] > 1:
        grey = images.mean(dim=1, keepdim=True)
        images = (images - grey) * (saturation * config.saturation) + grey
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    contrasted: Tensor = (images - mean) * (contrast + config.contrast) + mean
    return contrasted


def _crop(images: Tensor, uniforms: Tensor, config: AugmentationConfig) -> Tensor:
    """Shift by whole pixels and fill with zeros: a random crop of the padded image."""
    size = images.shape[-1]
    padding = int(size * config.crop_padding + 0.5)
    shifts = (uniforms[:, :2] * (2 * padding + 1)).long()
    pixels = torch.arange(size, device=images.device)
    rows = shifts[:, 0, None] + pixels
    columns = shifts[:, 1, None] + pixels
    padded = F.pad(images, (padding,) * 4).permute(0, 2, 3, 1)
    image = torch.arange(len(images), device=images.device)[:, None, None]
    cropped: Tensor = padded[image, rows[:, :, None], columns[:, None, :]]
    return cropped.permute(0, 3, 1, 2)


def _cutout(images: Tensor, uniforms: Tensor, config: AugmentationConfig) -> Tensor:
    size = images.shape[-1]
    side = int(size * config.cutout_ratio + 0.5)
    centres = (uniforms[:, :2] * size).floor()
    pixels = torch.arange(size, device=images.device, dtype=images.dtype)
    # |2·pixel − 2·centre + 1| < side keeps a square of exactly `side` pixels in whole numbers.
    inside = (2 * pixels - 2 * centres[..., None] + 1).abs() < side
    blanked = inside[:, 0, :, None] & inside[:, 1, None, :]
    return images * (~blanked[:, None]).to(images.dtype)


def _flip(images: Tensor, uniforms: Tensor, config: AugmentationConfig) -> Tensor:
    return torch.where(uniforms[:, 0, None, None, None] < 0.5, images.flip(-1), images)


def _scale(images: Tensor, uniforms: Tensor, config: AugmentationConfig) -> Tensor:
    smallest = 1 / config.scale_ratio
    factors = uniforms[:, :2] * (config.scale_ratio - smallest) + smallest
    zeros = torch.zeros_like(factors[:, 0])
    return _affine(images, factors[:, 0], zeros, zeros, factors[:, 1])


def _rotate(images: Tensor, uniforms: Tensor, config: AugmentationConfig) -> Tensor:
    angles = (uniforms[:, 0] - 0.5) * (2 * math.radians(config.rotate_degrees))
    return _affine(images, angles.cos(), -angles.sin(), angles.sin(), angles.cos())


def _affine(images: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Sample at [[a, b], [c, d]]·(x, y), bilinear, zeros outside; one matrix per image."""
    zeros = torch.zeros_like(a)
    matrices = torch.stack([a, b, zeros, c, d, zeros], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="zeros", align_corners=False)


_OPERATIONS: dict[str, Callable[[Tensor, Tensor, AugmentationConfig], Tensor]] = {
    "color": _color,
    "crop": _crop,
    "cutout": _cutout,
    "flip": _flip,
    "scale": _scale,
    "rotate": _rotate,
}

"""Normalises stored bytes for the networks, and inverts it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import torch
from torch import Tensor

_CHUNK = 4096


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation per channel, of intensities between 0 and 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, images: Tensor) -> Self:
        """Measure uint8 images (N, C, H, W), in chunks, so that memory does not grow with N."""
        channels = images.shape[1]
        total = torch.zeros(channels, dtype=torch.float64)
        squares = torch.zeros(channels, dtype=torch.float64)
        for chunk in images.split(_CHUNK):
            values = chunk.double() / 255
            total += values.sum(dim=(0, 2, 3)).cpu()
            squares += values.square().sum(dim=(0, 2, 3)).cpu()
        count = max(images.numel() // channels, 1)
        mean = total / count
        # A set of equal pixels has no spread; a deviation of one keeps the division defined.
        std = (squares / count - mean.square()).clamp(min=0).sqrt()
        std = torch.where(std > 0, std, torch.ones_like(std))
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    def apply(self, images: Tensor) -> Tensor:
        """Turn uint8 (N, C, H, W) into normalised float32."""
        return self.of_intensities(images.float() / 255)

    def of_intensities(self, intensities: Tensor) -> Tensor:
        """Turn intensities (N, C, H, W), 0 black and 1 white, into normalised float32."""
        mean, std = _as_tensors(self, intensities.device)
        return (intensities - mean) / std

    def to_intensities(self, images: Tensor) -> Tensor:
        """Turn normalised (N, C, H, W) back into intensities, not clipped to 0 and 1."""
        mean, std = _as_tensors(self, images.device)
        return images * std + mean

    def clip(self, images: Tensor) -> Tensor:
        """Clip normalised (N, C, H, W) to intensities between black and white."""
        mean, std = _as_tensors(self, images.device)
        return torch.minimum(torch.maximum(images, -mean / std), (1 - mean) / std)

    def round_to_grey_levels(self, images: Tensor) -> Tensor:
        """Round normalised (N, C, H, W) to the nearest of the 256 grey levels of a picture."""
        return self.apply(self.invert(images))

    def invert(self, images: Tensor) -> Tensor:
        """Turn normalised (N, C, H, W) into uint8 for display, clipped to 0..255."""
        return (self.to_intensities(images) * 255).round().clamp(0, 255).to(torch.uint8)


@lru_cache(maxsize=64)
def _as_tensors(normalisation: Normalisation, device: torch.device) -> tuple[Tensor, Tensor]:
    """Copy mean and deviation, (1, C, 1, 1), to a device once, since copying waits for it."""
    shape = (1, -1, 1, 1)
    # Tensors made in inference mode could not be differentiated through later.
    with torch.inference_mode(False):
        return (
            torch.tensor(normalisation.mean, dtype=torch.float32, device=device).view(shape),
            torch.tensor(normalisation.std, dtype=torch.float32, device=device).view(shape),
        )

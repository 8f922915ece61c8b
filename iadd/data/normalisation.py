"""Normalises stored bytes for the networks, and inverts it."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.whitening import Whitening

_CHUNK = 4096
_MOST_FITTED = 2


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation per channel, of intensities between 0 and 1.

    Attributes:
        mean: Means.
        std: Standard deviations.
        whitening: ZCA whitening of the images that mean and deviation have normalised, or None.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    whitening: Whitening | None = None

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
        mean, std = _as_tensors(self.mean, self.std, intensities.device)
        return self.whiten((intensities - mean) / std)

    def to_intensities(self, images: Tensor) -> Tensor:
        """Turn normalised (N, C, H, W) back into intensities, not clipped to 0 and 1."""
        mean, std = _as_tensors(self.mean, self.std, images.device)
        if self.whitening is not None:
            images = self.whitening.invert(images)
        return images * std + mean

    def whiten(self, images: Tensor) -> Tensor:
        """Whiten images (N, C, H, W) of mean 0 and deviation 1, where images are whitened."""
        return images if self.whitening is None else self.whitening.apply(images)

    def clip(self, images: Tensor) -> Tensor:
        """Clip normalised (N, C, H, W) to intensities between black and white."""
        if self.whitening is not None:
            return self.of_intensities(self.to_intensities(images).clamp(0, 1))
        mean, std = _as_tensors(self.mean, self.std, images.device)
        return torch.minimum(torch.maximum(images, -mean / std), (1 - mean) / std)

    def round_to_grey_levels(self, images: Tensor) -> Tensor:
        """Round normalised (N, C, H, W) to the nearest of the 256 grey levels of a picture."""
        return self.apply(self.invert(images))

    def invert(self, images: Tensor) -> Tensor:
        """Turn normalised (N, C, H, W) into uint8 for display, clipped to 0..255."""
        return (self.to_intensities(images) * 255).round().clamp(0, 255).to(torch.uint8)


@lru_cache(maxsize=64)
def _as_tensors(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Copy mean and deviation, (1, C, 1, 1), to a device once, since copying waits for it."""
    shape = (1, -1, 1, 1)
    # Tensors made in inference mode could not be differentiated through later.
    with torch.inference_mode(False):
        return (
            torch.tensor(mean, dtype=torch.float32, device=device).view(shape),
            torch.tensor(std, dtype=torch.float32, device=device).view(shape),
        )


def fit_normalisation(images: Tensor, config: Config) -> Normalisation:
    """Fit the normalisation of a run on its training images.

    A whitening takes minutes for large images, and is kept for the next call with equal images.

    Args:
        images: uint8 (N, C, H, W), the training images.
        config: Settings of the run: ``whitening``.

    Raises:
        WhiteningError: When the images cannot be whitened.
    """
    plain = Normalisation.of(images)
    if config.normalisation.whitening == "none":
        return plain
    key = whitening_key(images, config)
    if key not in _fitted:
        # On the CPU whatever the device, so that a run that resumes elsewhere is the same.
        rows = torch.cat([plain.apply(part) for part in images.cpu().split(_CHUNK)])
        _fitted[key] = Whitening.of(rows, epsilon=config.normalisation.whitening_epsilon)
    _fitted.move_to_end(key)
    while len(_fitted) > _MOST_FITTED:
        _fitted.popitem(last=False)
    return replace(plain, whitening=_fitted[key])


def whitening_key(images: Tensor, config: Config) -> str:
    """Return a name of the whitening of these images under these settings, 16 hex digits."""
    state = hashlib.blake2b(repr((images.shape, config.normalisation)).encode(), digest_size=8)
    state.update(images.cpu().contiguous().numpy().tobytes())
    return state.hexdigest()


_fitted: OrderedDict[str, Whitening] = OrderedDict()

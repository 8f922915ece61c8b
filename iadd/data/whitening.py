"""ZCA whitening of images and its exact inverse (Bell and Sejnowski 1997; paper, section 4.2).

W = U (Λ + ε)^(−1/2) Uᵀ for the covariance U Λ Uᵀ of the training images: whitened images are
W (x − μ), have (nearly) unit covariance, and differ as little as they can from x. The paper takes
MTT's setting: of images normalised by channel, with ε = 0.1.

What is stored is W, rounded to float32. It is thereby defined, and its inverse is computed from it
in float64 when pictures are to be shown, so that it is exact whatever was rounded.

Shapes: N images of D = C·H·W numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from iadd.runtime.precision import computing_at

_CHUNK = 4096
_MOST_NUMBERS = 16_384
_PREFIX = "whitening."


class WhiteningError(ValueError):
    """Images are too large to be whitened, or too few. The message says what to do."""


@dataclass(frozen=True, eq=False)
class Whitening:
    """A ZCA whitening. Two are equal if they map images to the same numbers.

    Attributes:
        mean: μ, (D,) float32.
        matrix: W, (D, D) float32, symmetric.
    """

    mean: Tensor
    matrix: Tensor

    @classmethod
    def of(cls, images: Tensor, *, epsilon: float) -> Whitening:
        """Fit the whitening of normalised images.

        Args:
            images: (N, C, H, W) float32, N at least 2.
            epsilon: ε, added to each variance, so that noise is not blown up.

        Raises:
            WhiteningError: When an image has more than 16,384 numbers, whose matrix would take more
                than a gigabyte, or when there are fewer than two images.
        """
        rows = images.flatten(1)
        count, numbers = rows.shape
        if numbers > _MOST_NUMBERS:
            raise WhiteningError(
                f"An image has {numbers:,} numbers, and at most {_MOST_NUMBERS:,} can be whitened: "
                "set whitening to none, or take smaller images."
            )
        if count < 2:
            raise WhiteningError("Whitening is fitted on two images at least.")
        mean = (
            sum((part.double().sum(dim=0) for part in rows.split(_CHUNK)), torch.zeros(())) / count
        )
        covariance = torch.zeros(numbers, numbers, dtype=torch.float64)
        for part in rows.split(_CHUNK):
            centred = (part.double() - mean).float()
            covariance += (centred.T @ centred).double()
        variances, axes = torch.linalg.eigh(covariance / (count - 1))
        # Rounding may turn the smallest variances negative.
        factors = (variances.clamp(min=0) + epsilon).rsqrt()
        matrix = (axes * factors) @ axes.T
        return cls(mean.float(), ((matrix + matrix.T) / 2).float())

    def apply(self, images: Tensor) -> Tensor:
        """Whiten normalised images (N, C, H, W), in their own precision.

        Under ``tf32`` too: its rounding would show in the pictures that the inverse makes.
        """
        mean, matrix = self._on(images.device, images.dtype)
        with computing_at("float32"):
            whitened: Tensor = (images.flatten(1) - mean) @ matrix
        return whitened.view(images.shape)

    def invert(self, images: Tensor) -> Tensor:
        """Turn whitened (N, C, H, W) back; computed in float64, returned in their precision."""
        inverse = self.inverse.to(images.device)
        mean = self.mean.to(images.device).double()
        restored = images.flatten(1).double() @ inverse + mean
        return restored.view(images.shape).to(images.dtype)

    @cached_property
    def inverse(self) -> Tensor:
        """W⁻¹, (D, D) float64."""
        with torch.inference_mode(False):
            inverse: Tensor = torch.linalg.inv(self.matrix.double())
        return inverse

    @cached_property
    def digest(self) -> str:
        """Name of the numbers, 16 hexadecimal digits."""
        state = hashlib.sha256(self.mean.numpy().tobytes())
        state.update(self.matrix.numpy().tobytes())
        return state.hexdigest()[:16]

    @cached_property
    def _copies(self) -> dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]]:
        return {}

    def _on(self, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Copy μ and W to a device once, since that takes time."""
        key = (device, dtype)
        if key not in self._copies:
            # Tensors made in inference mode could not be differentiated through later.
            with torch.inference_mode(False):
                self._copies[key] = self.mean.to(*key), self.matrix.to(*key)
        return self._copies[key]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Whitening) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def tensors(self) -> dict[str, Tensor]:
        """Return what :meth:`from_tensors` reads, to be stored among other tensors."""
        return {f"{_PREFIX}mean": self.mean, f"{_PREFIX}matrix": self.matrix}

    @staticmethod
    def from_tensors(tensors: Mapping[str, Tensor]) -> Whitening | None:
        """Read what :meth:`tensors` returned; None where there is none.

        Raises:
            ValueError: When the shapes do not fit together.
        """
        if f"{_PREFIX}matrix" not in tensors:
            return None
        mean, matrix = tensors[f"{_PREFIX}mean"], tensors[f"{_PREFIX}matrix"]
        if mean.ndim != 1 or matrix.shape != (len(mean), len(mean)):
            raise ValueError("the matrix of a whitening has to be (D, D) and its mean (D,)")
        return Whitening(mean, matrix)

"""The matched filter as a signal: which images were averaged into the distilled ones?"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from iadd.data.image_set import ImageSet

_SMALL = 1e-12


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Mean and mean power spectrum of each class, of images that took no part.

    Attributes:
        means: float32 (K, C, H, W), of intensities.
        spectra: float32 (K, C, H, W), mean of |FFT(x − mean)|².
    """

    means: Tensor
    spectra: Tensor

    @classmethod
    def of(cls, images: ImageSet) -> Self:
        """Measure images; a class without any takes the statistics of all."""
        means, spectra = [], []
        for label in range(len(images.classes)):
            own = images.images[images.labels == label]
            values = (own if len(own) > 1 else images.images).float() / 255
            mean = values.mean(dim=0)
            total = torch.zeros_like(mean)
            for chunk in values.split(256):
                total += torch.fft.fft2(chunk - mean).abs().square().sum(dim=0)
            means.append(mean)
            # The mean was measured on the same images.
            spectra.append(total / max(len(values) - 1, 1))
        return cls(torch.stack(means), torch.stack(spectra))


def filter_scores(
    images: Tensor,
    pictures: Tensor,
    mean: Tensor,
    spectrum: Tensor,
    *,
    averaged: int,
    drift_spectrum: Tensor | None,
) -> Tensor:
    """Score candidates by max_d Re⟨X, W·D̂⟩ / ‖X‖_W, W = 1 / (spectrum / k + drift spectrum).

    X and D̂ are Fourier transforms of a candidate and of a distilled picture, less the class mean.

    Args:
        images: uint8 (N, C, H, W), candidates of one class.
        pictures: float (M, C, H, W), distilled intensities of that class.
        mean: (C, H, W) of the class.
        spectrum: (C, H, W), mean power spectrum of the class.
        averaged: k, images that a start averages.
        drift_spectrum: (C, H, W), mean power spectrum of what distilling changed; None for none.

    Returns:
        float32 (N,).
    """
    noise = spectrum / averaged
    noise = noise + (0 if drift_spectrum is None else drift_spectrum)
    weight = 1 / (noise + _SMALL + 1e-3 * noise.mean())
    residuals = torch.fft.fft2(pictures - mean).flatten(1)
    scores = []
    for chunk in images.split(256):
        x = torch.fft.fft2(chunk.float() / 255 - mean).flatten(1)
        weighted = x * weight.flatten()
        length = (weighted * x.conj()).real.sum(dim=1).sqrt()
        inner = (weighted @ residuals.conj().T).real
        scores.append((inner / (length[:, None] + _SMALL)).amax(dim=1))
    return torch.cat(scores) if scores else torch.empty(0)

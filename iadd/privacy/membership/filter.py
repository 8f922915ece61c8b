"""The matched filter as a signal: which images were averaged into the distilled ones?"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from iadd.data.image_set import ImageSet
from iadd.privacy.matched_filter import matched_filter_scores, mean_and_spectrum


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Mean and mean power spectrum of each class, of images that took no part.

    Attributes:
        means: float32 (K, C, H, W), of intensities.
        spectra: float32 (K, C, H, W // 2 + 1).
    """

    means: Tensor
    spectra: Tensor

    @classmethod
    def of(cls, images: ImageSet) -> Self:
        """Measure images; a class of fewer than two takes the statistics of all."""
        measured = []
        for label in range(len(images.classes)):
            own = images.images[images.labels == label]
            measured.append(mean_and_spectrum(own if len(own) > 1 else images.images))
        means, spectra = zip(*measured, strict=True)
        return cls(torch.stack(means), torch.stack(spectra))


def matched(
    images: Tensor,
    labels: Tensor,
    pictures: Tensor,
    picture_labels: Tensor,
    statistics: ClassStatistics,
    *,
    averaged: int,
) -> Tensor:
    """Score each image by the matched filter on the pictures of its class.

    Args:
        images: uint8 (R, C, H, W).
        labels: int64 (R,).
        pictures: float (M, C, H, W), intensities.
        picture_labels: int64 (M,).
        statistics: Of images that took no part.
        averaged: Images that a start averages.

    Returns:
        float32 (R,); 0 where a class has no picture.
    """
    found = torch.zeros(len(labels))
    for label in picture_labels.unique():
        rows = labels == label
        if bool(rows.any()):
            found[rows] = matched_filter_scores(
                images[rows],
                pictures[picture_labels == label],
                statistics.means[label],
                statistics.spectra[label],
                averaged=averaged,
            )
    return found

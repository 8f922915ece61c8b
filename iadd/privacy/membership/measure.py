"""Measures the signals of one distilled set: what it says of each candidate image."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.privacy.membership.students import Students, train_students

SINGLE_STARTS = ("real", "k_mean")
"""Starts that are made of single images."""

_CHUNK = 256


@dataclass(frozen=True, eq=False)
class Candidates:
    """Images that are asked about.

    Attributes:
        images: uint8 (R, C, H, W).
        labels: int64 (R,).
    """

    images: Tensor
    labels: Tensor


def students_of(
    distilled: DistilledDataset,
    config: Config,
    *,
    count: int,
    on_epoch: Callable[[], None] | None = None,
    device: torch.device | str = "cpu",
) -> Students:
    """Train the students of a distilled set as its evaluation does."""
    return train_students(
        distilled.images,
        distilled.labels,
        classes=len(distilled.classes),
        lr=distilled.syn_lr,
        normalisation=distilled.normalisation,
        config=config,
        count=count,
        rng_key=("attack",),
        on_epoch=on_epoch,
        device=device,
    )


def nearest(candidates: Candidates, pictures: Tensor, labels: Tensor) -> Tensor:
    """Compute minus the distance of each image to the nearest picture of its class, (R,).

    Args:
        candidates: R images.
        pictures: float (M, C, H, W), intensities.
        labels: int64 (M,).

    Returns:
        float32, root mean squares of differences of intensities; −1 where a class has no picture.
    """
    found = torch.full((len(candidates.labels),), -1.0)
    for label in labels.unique():
        own = pictures[labels == label].flatten(1)
        rows = (candidates.labels == label).nonzero().squeeze(1)
        for chunk in rows.split(_CHUNK):
            images = candidates.images[chunk].flatten(1).float() / 255
            distances = torch.cdist(images, own, compute_mode="donot_use_mm_for_euclid_dist")
            found[chunk] = -distances.amin(dim=1) / own.shape[1] ** 0.5
    return found


def averaged_images(config: Config) -> int:
    """Return the number of images that a start averages: 1 where it averages none."""
    settings = config.distillation
    return settings.k_mean_images if settings.initialisation == "k_mean" else 1


def intensities(distilled: DistilledDataset) -> Tensor:
    """Return the distilled pictures as intensities, float32 (M, C, H, W), not clipped."""
    return distilled.normalisation.to_intensities(distilled.images)


def population_of(images: ImageSet, part: str, most: int) -> Candidates:
    """Take some images of a split, the same each time."""
    own = images.part(part)
    order = torch.randperm(len(own), generator=torch.Generator().manual_seed(0))[:most]
    return Candidates(own.images[order], own.labels[order])

"""Tiny image sets and distilled sets."""

import torch

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation


def make_images(per_class: int = 24, size: int = 16, seed: int = 0) -> ImageSet:
    """Two classes of noise, the second with a bright square; 2 in 3 train, the rest shared."""
    generator = torch.Generator().manual_seed(seed)
    count = 2 * per_class
    images = torch.randint(0, 120, (count, 1, size, size), generator=generator)
    labels = torch.arange(count) % 2
    images[labels == 1, :, : size // 2, : size // 2] += 100
    split = torch.tensor([0, 0, 0, 0, 1, 2]).repeat_interleave(2).repeat(count // 12 + 1)[:count]
    return ImageSet(images.to(torch.uint8), labels, ("plain", "square"), split.to(torch.int8))


def make_distilled(
    config: Config,
    *,
    classes: tuple[str, ...] = ("plain", "square"),
    per_class: int = 2,
    size: int = 16,
    seed: int = 1,
    lr: float = 0.05,
) -> DistilledDataset:
    """A small set of another hospital: some of its images, which differ from ours by the seed."""
    theirs = make_images(12 * per_class, size, seed)
    chosen = torch.cat([(theirs.labels == n).nonzero().squeeze(1)[:per_class] for n in (0, 1)])
    normalisation = Normalisation.of(theirs.images)
    return DistilledDataset(
        images=normalisation.apply(theirs.images[chosen]),
        labels=theirs.labels[chosen],
        classes=classes,
        syn_lr=lr,
        importance_weights=None,
        history=History(),
        config=config.override({"image_size": size}),
        normalisation=normalisation,
        initial_images=None,
        best_iteration=0,
    )

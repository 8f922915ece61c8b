"""Choosing real images: the baselines that a distilled set has to beat."""

import torch
from torch import Tensor

from iadd.imageset import ImageSet
from iadd.seeding import make_generator


class TooFewImagesError(ValueError):
    """A class holds fewer images than asked for. The message names it and says what to do."""


def random_images(train: ImageSet, per_class: int, *, seed: int, purpose: str) -> Tensor:
    """Draw as many images of each class, without replacement.

    Args:
        train: Where to draw from.
        per_class: How many of each class.
        seed: Seed of the run.
        purpose: Name of the draw: another name draws another subset.

    Returns:
        Indices into ``train``, (classes·per_class,) int64, class by class.

    Raises:
        TooFewImagesError: When a class holds fewer.
    """
    generator = make_generator(seed, "random images", purpose)
    chosen = []
    for label, name in enumerate(train.classes):
        members = (train.labels == label).nonzero().squeeze(1)
        if len(members) < per_class:
            raise TooFewImagesError(
                f"Class {name!r} has {len(members)} training images, and {per_class} are needed: "
                "ask for fewer images per class, or add images to the class."
            )
        chosen.append(members[torch.randperm(len(members), generator=generator)[:per_class]])
    return torch.cat(chosen)

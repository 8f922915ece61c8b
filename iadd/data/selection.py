"""Selects real images: the baselines that a distilled set has to beat."""

from collections.abc import Iterator

import torch
from torch import Tensor

from iadd.data.image_set import ImageSet
from iadd.runtime.seed import make_generator


class TooFewImagesError(ValueError):
    """A class holds fewer images than requested. The message names it and says what to do."""


def random_images(train: ImageSet, per_class: int, *, seed: int, rng_key: str) -> Tensor:
    """Draw ``per_class`` images of each class, without replacement.

    Args:
        train: Images to draw from.
        per_class: Images of each class.
        seed: Seed of the run.
        rng_key: Name of the draw: another name draws another subset.

    Returns:
        Indices into ``train``, (classes·per_class,) int64, class by class.

    Raises:
        TooFewImagesError: When a class holds fewer.
    """
    generator = make_generator(seed, "random images", rng_key)
    chosen = [
        members[torch.randperm(len(members), generator=generator)[:per_class]]
        for members in _members(train, per_class)
    ]
    return torch.cat(chosen)


def herding_images(train: ImageSet, per_class: int, *, features: Tensor) -> Tensor:
    """Choose the images of each class whose mean comes nearest to the mean of the class (herding).

    The choice is greedy, as in Welling (2009) and Chen, Welling and Smola (2010): each image chosen
    is the one that brings the mean of those chosen so far nearest to the mean of the class.

    Args:
        train: Images to choose from.
        per_class: Images of each class.
        features: (N, D), a network's features of each image: see
            :func:`iadd.training.selection_scores.trained_features`.

    Returns:
        Indices into ``train``, (classes·per_class,) int64, class by class, in the order chosen.

    Raises:
        TooFewImagesError: When a class holds fewer.
    """
    chosen = []
    for members in _members(train, per_class):
        own = features[members].double()
        centre, total = own.mean(dim=0), torch.zeros_like(own[0])
        free = torch.ones(len(members), dtype=torch.bool)
        for size in range(1, per_class + 1):
            distances = ((total + own) / size - centre).square().sum(dim=1)
            best = int(distances.where(free, torch.inf).argmin())
            free[best] = False
            total = total + own[best]
            chosen.append(int(members[best]))
    return torch.tensor(chosen)


def forgetting_images(train: ImageSet, per_class: int, *, events: Tensor) -> Tensor:
    """Choose the images of each class that a network in training forgets most often.

    Toneva et al. (ICLR 2019).

    Args:
        train: Images to choose from.
        per_class: Images of each class.
        events: (N,), how often each image was forgotten: see
            :func:`iadd.training.selection_scores.forgetting_events`.

    Returns:
        Indices into ``train``, (classes·per_class,) int64, class by class, the most forgotten
        first; equal counts in the order of ``train``.

    Raises:
        TooFewImagesError: When a class holds fewer.
    """
    return torch.cat(
        [
            members[events[members].argsort(descending=True, stable=True)[:per_class]]
            for members in _members(train, per_class)
        ]
    )


def _members(train: ImageSet, per_class: int) -> Iterator[Tensor]:
    """Yield the indices of each class's images, checked to be enough."""
    for label, name in enumerate(train.classes):
        members = (train.labels == label).nonzero().squeeze(1)
        if len(members) < per_class:
            raise TooFewImagesError(
                f"Class {name!r} has {len(members)} training images, and {per_class} are needed: "
                "ask for fewer images per class, or add images to the class."
            )
        yield members

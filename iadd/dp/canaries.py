"""Canaries: additional training units that belong to nobody, each in or out by a fair coin.

The proof for patients is the same with them, and they cost no ε; they cost a little accuracy, as
wrong images do. Whoever guesses their coins better than the claimed ε allows has found a bug
(Steinke, Nasr and Jagielski 2023, arXiv 2305.08846).

Shapes: m canaries, C channels, H = W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from iadd.data.image_set import ImageSet
from iadd.intake.splits import SPLITS
from iadd.runtime.seed import make_generator


@dataclass(frozen=True, eq=False)
class Canaries:
    """Images that belong to nobody, each in or out by a fair coin.

    Attributes:
        images: uint8 (m, C, H, W), random numbers.
        labels: int64 (m,), random classes.
        included: bool (m,), the coins. An attack must not read them before it has guessed.
    """

    images: Tensor
    labels: Tensor
    included: Tensor


def draw_canaries(count: int, *, image_shape: Sequence[int], classes: int, seed: int) -> Canaries:
    """Draw canaries; nothing of a hospital's images is read.

    All teachers of a run draw the same ones. Their secrecy protects nobody, so they may follow from
    a seed, unlike the noise.

    Args:
        count: m, at least 1.
        image_shape: (C, H, W).
        classes: Number of classes.
        seed: Seed of the run.
    """
    generator = make_generator(seed, "canaries")
    pixels = torch.randint(0, 256, (count, *image_shape), generator=generator)
    return Canaries(
        images=pixels.to(torch.uint8),
        labels=torch.randint(0, classes, (count,), generator=generator),
        included=torch.randint(0, 2, (count,), generator=generator).bool(),
    )


def with_canaries(images: ImageSet, canaries: Canaries) -> ImageSet:
    """Add the canaries whose coin says so to the training split, each as a unit of its own."""
    own = canaries.included
    count = int(own.sum())
    groups = images.groups
    if groups is not None:
        first = int(groups.max()) + 1 if len(groups) else 0
        groups = torch.cat([groups, torch.arange(first, first + count)])
    split = torch.full((count,), SPLITS.index("train"), dtype=torch.int8)
    return replace(
        images,
        images=torch.cat([images.images, canaries.images[own]]),
        labels=torch.cat([images.labels, canaries.labels[own]]),
        split=torch.cat([images.split, split]),
        groups=groups,
    )

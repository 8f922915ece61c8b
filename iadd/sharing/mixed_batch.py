"""Mixes own and received images in mini-batches with fixed shares.

A few distilled images among thousands of own ones would hardly ever be drawn, and a few own ones
among many received likewise. So a mini-batch is composed, not drawn from one pool: each class has
an equal part of it, and in each class the received images have their share, however many there are.
Images of a source that is too small for its part come several times, each time augmented anew; from
a larger source, others come each time.

Each class weighs the same whatever is trained on: a distilled set has the same number of images of
each class, and unbalanced own images would differ from it by that alone, which changes balanced
accuracy by itself.

Shapes: N own images, M received ones, indexed 0 to N − 1 and N to N + M − 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """Numbers of own and received images of each class in one mini-batch.

    Attributes:
        own: Own images of each class.
        received: Received images of each class.
    """

    own: int
    received: int

    @classmethod
    def of(cls, own: int, received: int, *, share: float, most: int) -> "Mixture":
        """Size a mini-batch by the larger source, or by its limit, with the given share.

        Args:
            own: Own images of the largest class.
            received: Received images of the largest class.
            share: Received part of the mini-batch, 0 to 1.
            most: Largest number of images of one class in a mini-batch.
        """
        if share in (0, 1):
            return cls(min(own, most), 0) if share == 0 else cls(0, min(received, most))
        # Large enough for all images of both sources, if the mini-batch allows.
        size = min(max(own / (1 - share), received / share), most)
        return cls(max(1, round(size * (1 - share))), max(1, round(size * share)))

    def draw(self, own: Tensor, received: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one mini-batch.

        Args:
            own: Labels of the own images, (N,).
            received: Labels of the received images, (M,).
            generator: Source of random numbers.

        Returns:
            Indices, shuffled.
        """
        parts = []
        for labels, each, first in ((own, self.own, 0), (received, self.received, len(own))):
            if each:
                for label in labels.unique().tolist():
                    members = (labels == label).nonzero().squeeze(1) + first
                    parts.append(_take(members, each, generator))
        drawn = torch.cat(parts)
        return drawn[torch.randperm(len(drawn), generator=generator)]


def _take(members: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw ``count`` of some images, each as often as any other, or once more."""
    whole, rest = divmod(count, len(members))
    chosen = members[torch.randperm(len(members), generator=generator)[:rest]]
    return torch.cat([members.repeat(whole), chosen])

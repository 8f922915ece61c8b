"""Mini-batches of own and received images in which neither drowns the other.

A few distilled images among thousands of own ones would hardly ever be drawn, and a few own ones
among many received likewise. So a mini-batch is put together, not drawn from a heap: each class has
an equal part of it, and in each class the received images have their share, however many there are.
Images of a source that is too small for its part come several times, each time augmented anew; of
one that is larger, others come each time.

That each class weighs the same holds whatever is trained on: a distilled set has as many images of
each class, and own images taken as they come would differ from it by that alone, which moves
balanced accuracy by itself.

Shapes: N own images, M received ones, indexed 0 to N − 1 and N to N + M − 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """How many images of each source one mini-batch holds, of each class.

    Attributes:
        own: Own images of each class.
        received: Received images of each class.
    """

    own: int
    received: int

    @classmethod
    def of(cls, own: int, received: int, *, share: float, most: int) -> "Mixture":
        """As many images as the larger source has, or as a mini-batch holds, in the right share.

        Args:
            own: Own images of the largest class.
            received: Received images of the largest class.
            share: Part of the mini-batch that is received, 0 to 1.
            most: Images of one class that a mini-batch may hold.
        """
        if share in (0, 1):
            return cls(min(own, most), 0) if share == 0 else cls(0, min(received, most))
        # As large as lets both sources in whole, if the mini-batch allows.
        size = min(max(own / (1 - share), received / share), most)
        return cls(max(1, round(size * (1 - share))), max(1, round(size * share)))

    def draw(self, own: Tensor, received: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one mini-batch.

        Args:
            own: Labels of the own images, (N,).
            received: Labels of the received images, (M,).
            generator: Draws.

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
    """So many of some images, each as often as any other, or once more."""
    whole, rest = divmod(count, len(members))
    chosen = members[torch.randperm(len(members), generator=generator)[:rest]]
    return torch.cat([members.repeat(whole), chosen])

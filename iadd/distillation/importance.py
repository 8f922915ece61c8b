"""Importance weights: the paper's self-adaptive W, MTT's ones, DDPP's zeros and ones.

IADD (eqs. 6 to 8 and 11) learns W. What is stored is W − 1: steps on W are far smaller than what
float32 can add to one. Read literally, eq. 11 moves W by about 1e-6 in 5,000 iterations, since a
loss of about 1 is shared by P ≈ 600,000 weights; so by default the step is taken on P·∂L/∂W
(docs/adr/002). MTT keeps W at ones. DDPP (Li et al. 2023) leaves out of each iteration the
parameters in which student and teacher differ too much.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from iadd.config import WeightsGradient

COLLAPSED_MEAN = 0.5
"""A mean of W below this means that the loss fell because weights vanished, not by learning."""
COLLAPSED_WEIGHT, COLLAPSED_SHARE = 0.1, 0.5
"""The same holds when more than this share of W lies below this weight."""


@dataclass
class ImportanceWeights:
    """W of one run.

    Attributes:
        offset: W − 1, (P,).
        layers: The slices of θ, one for each parameter tensor, for the reading ``layer``.
    """

    offset: Tensor
    layers: Sequence[slice] = field(default_factory=lambda: (slice(None),))

    @classmethod
    def ones(
        cls,
        parameters: int,
        device: torch.device | str = "cpu",
        *,
        layers: Sequence[slice] = (slice(None),),
    ) -> "ImportanceWeights":
        """Make W_0 of the paper: every parameter counts the same."""
        return cls(torch.zeros(parameters, device=device), layers)

    @property
    def values(self) -> Tensor:
        """W, (P,), never below 0."""
        return 1 + self.offset

    def step(self, gradient: Tensor, lr: float, reading: WeightsGradient) -> None:
        """Take one SGD step (eq. 11).

        ∂L/∂W of eq. 9 is never negative, so W only falls, fastest where student and teacher differ
        most; relative to what counts (``relative_to``) it may rise. A step below zero stops at
        zero.

        Args:
            gradient: ∂L/∂W, (P,).
            lr: η.
            reading: Gradient that η acts on: P·∂L/∂W (``mean``), ∂L/∂W (``literal``), or 2·∂L/∂W
                over its mean in the layer (``layer``), which takes the same mean step in each
                layer, that of ``mean`` at a loss of 1.
        """
        if reading == "mean":
            scaled = gradient.numel() * gradient
        elif reading == "literal":
            scaled = gradient
        else:
            scaled = torch.zeros_like(gradient)
            for layer in self.layers:
                mean = gradient[layer].abs().mean()
                # A layer that matches exactly has no gradient and needs no step.
                scaled[layer] = torch.where(mean > 0, 2 * gradient[layer] / mean, 0.0)
        self.offset = (self.offset - lr * scaled).clamp_(min=-1)


def is_collapsed(weights: Tensor) -> bool:
    """Return whether W, (P,), fell so far that the weighted loss says little about the images."""
    few = (weights < COLLAPSED_WEIGHT).float().mean() > COLLAPSED_SHARE
    return bool(few | (weights.mean() < COLLAPSED_MEAN))


@dataclass(frozen=True)
class Pruning:
    """DDPP's rule: a parameter counts where student and teacher are similar enough.

    The similarity of a pair is the smaller over the larger of the two, and 0 where their signs
    differ: 1 for equal parameters, whatever their scale (docs/adr/008).

    Attributes:
        threshold: ε, the smallest similarity that counts, 0 to 1.
    """

    threshold: float

    def __call__(self, end: Tensor, target: Tensor) -> Tensor:
        """Compute W of zeros and ones, (P,), from θ_J and θ*."""
        return (similarity(end, target) >= self.threshold).to(end.dtype)


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """Compute the similarity of two parameter vectors, 0 to 1, elementwise."""
    larger = torch.maximum(first.abs(), second.abs())
    smaller = torch.minimum(first.abs(), second.abs())
    alike = torch.where(first.sign() * second.sign() >= 0, smaller, 0.0)
    return torch.where(larger > 0, alike / larger, 1.0)

"""Self-adaptive importance weights W (paper, eqs. 6 to 8 and 11).

What is stored is W − 1: steps on W are far smaller than what float32 can add to one. Read
literally, eq. 11 moves W by about 1e-6 in 5,000 iterations, since a loss of about 1 is shared by
P ≈ 600,000 weights; so by default the step is taken on P·∂L/∂W (docs/adr/002).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from iadd.config import WeightsGradient


@dataclass
class ImportanceWeights:
    """W of one run.

    Attributes:
        offset: W − 1, (P,).
    """

    offset: Tensor

    @classmethod
    def ones(cls, parameters: int, device: torch.device | str = "cpu") -> "ImportanceWeights":
        """W_0 of the paper: every parameter counts the same."""
        return cls(torch.zeros(parameters, device=device))

    @property
    def values(self) -> Tensor:
        """W, (P,), never below 0."""
        return 1 + self.offset

    def step(self, gradient: Tensor, lr: float, reading: WeightsGradient) -> None:
        """One SGD step (eq. 11).

        ∂L/∂W is never negative, so W only falls, fastest where student and teacher differ most.
        A step that would pass zero stops there.

        Args:
            gradient: ∂L/∂W, (P,).
            lr: η.
            reading: Whether η acts on P·∂L/∂W (``mean``) or on ∂L/∂W (``literal``).
        """
        scale = gradient.numel() if reading == "mean" else 1
        self.offset = (self.offset - lr * scale * gradient).clamp_(min=-1)

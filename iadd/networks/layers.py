"""Layers that the networks share: convolution at a chosen precision, and instance norm.

Shapes: N images, C channels, H × W pixels.
"""

import torch
from torch import Tensor, nn

from iadd.config import Precision


class Convolution(nn.Conv2d):
    """Convolution whose inputs may be rounded to bfloat16; parameters and results stay float32.

    The rounding is written as casts and not left to autocast, so that every derivative (forward
    mode, reverse mode, second) rounds at the same places.
    """

    rounds_to: torch.dtype | None = None

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, out channels, H', W')."""
        if self.rounds_to is None:
            exact: Tensor = self._conv_forward(images, self.weight, self.bias)
            return exact
        rounded: Tensor = self._conv_forward(
            images.to(self.rounds_to), self.weight.to(self.rounds_to), None
        ).to(images.dtype)
        return rounded if self.bias is None else rounded + self.bias[:, None, None]


class InstanceNorm(nn.GroupNorm):
    """One group per channel, affine: the "instance norm" of the trajectory-matching literature."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, affine=True)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        if not torch.compiler.is_compiling():
            return super().forward(images)
        # Written out, the norm fuses with the next operations; PyTorch's own norm is compiled into
        # a running variance that the CPU computes one number at a time.
        centred = images - images.mean(dim=(2, 3), keepdim=True)
        variance = centred.square().mean(dim=(2, 3), keepdim=True)
        scale = torch.rsqrt(variance + self.eps) * self.weight[:, None, None]
        return centred * scale + self.bias[:, None, None]


def set_precision(network: nn.Module, precision: Precision) -> None:
    """Set the precision that the convolutions of a network round their inputs to.

    ``tf32`` is a setting of the GPU's libraries and not of a layer: see `iadd.runtime.precision`.
    """
    for module in network.modules():
        if isinstance(module, Convolution):
            module.rounds_to = torch.bfloat16 if precision == "bfloat16" else None

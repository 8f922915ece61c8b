"""The paper's network (section 4.1): blocks of convolution, instance norm, ReLU and pooling.

Shapes: N images, C channels, H = W = ``image_size``, D = ``width``.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iadd.networks.base import Classifier
from iadd.networks.layers import Convolution, InstanceNorm


class ConvBlock(nn.Module):
    """3×3 convolution, instance norm with affine parameters, ReLU, 2×2 average pooling."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv = Convolution(channels, width, kernel_size=3, padding=1)
        self.norm = InstanceNorm(width)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, D, H//2, W//2)."""
        return F.avg_pool2d(F.relu(self.norm(self.conv(images))), kernel_size=2)


class ConvNet(Classifier):
    """ConvNet of any depth and width: ConvNetD5 is ``depth=5``.

    Args:
        channels: C of the images, 1 for X-rays.
        classes: Number of logits.
        depth: Number of blocks; each halves the image.
        width: D, filters per convolution. The paper's is 128.
        image_size: H = W of the images, in pixels.

    With one channel, four classes, depth 5, width 128 and 112 pixels it has P = 597,508
    parameters.
    """

    def __init__(
        self, *, channels: int, classes: int, depth: int, width: int, image_size: int
    ) -> None:
        super().__init__()
        widths = [channels, *[width] * depth]
        self.blocks = nn.Sequential(
            *(ConvBlock(before, after) for before, after in itertools.pairwise(widths))
        )
        self.classifier = nn.Linear(width * (image_size >> depth) ** 2, classes)

    def features(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to the inputs of the classifier, (N, D·(H >> depth)²)."""
        return torch.flatten(self.blocks(images), start_dim=1)

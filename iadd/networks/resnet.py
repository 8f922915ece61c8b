"""ResNet18 for small images, as used to evaluate dataset distillation (paper, section 4.4).

Basic blocks in four stages of two (He et al., 2016), with instance norm (Zhao, Mopuri and Bilen,
ICLR 2021). Shapes: N images, C channels, H = W = ``image_size``.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from iadd.networks.base import SMALLEST_MAP, Classifier
from iadd.networks.layers import Convolution, InstanceNorm

_WIDTHS = (64, 128, 256, 512)
_BLOCKS = 2
_LARGEST_SMALL = 64


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with instance norm, added to the images or to their 1×1 projection."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(channels, width, kernel=3, stride=stride)
        self.norm1 = InstanceNorm(width)
        self.conv2 = _convolution(width, width, kernel=3, stride=1)
        self.norm2 = InstanceNorm(width)
        self.shortcut: nn.Module = nn.Identity()
        if channels != width or stride != 1:
            self.shortcut = nn.Sequential(
                _convolution(channels, width, kernel=1, stride=stride), InstanceNorm(width)
            )

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, channels, H, W) to (N, width, ⌈H/stride⌉, ⌈W/stride⌉)."""
        maps = F.relu(self.norm1(self.conv1(images)))
        return F.relu(self.norm2(self.conv2(maps)) + self.shortcut(images))


class ResNet18(Classifier):
    """A stem, four stages of two basic blocks, and a linear layer that reads the mean of the map.

    Args:
        channels: C of the images, 1 for X-rays.
        classes: Number of logits.
        image_size: H = W of the images, in pixels, at least 8.

    Up to 64 pixels the stem is the literature's for small images, one 3×3 convolution. Above, it
    is the original one, 7×7 at stride 2 and a 3×3 maximum at stride 2: a sixteenth of the cost,
    and receptive fields that fit the images. A stride that would leave a norm a single pixel (below
    16 pixels) is left out.
    """

    def __init__(self, *, channels: int, classes: int, image_size: int) -> None:
        super().__init__()
        size, width = image_size, _WIDTHS[0]
        if image_size <= _LARGEST_SMALL:
            stem: list[nn.Module] = [_convolution(channels, width, kernel=3, stride=1)]
        else:
            stem = [_convolution(channels, width, kernel=7, stride=2)]
            size = _halved(_halved(size))
        stem += [InstanceNorm(width), nn.ReLU()]
        if image_size > _LARGEST_SMALL:
            stem.append(nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
        self.stem = nn.Sequential(*stem)
        blocks = []
        channels = width
        for stage, width in enumerate(_WIDTHS):
            for block in range(_BLOCKS):
                halves = stage > 0 and block == 0 and _halved(size) >= SMALLEST_MAP
                size = _halved(size) if halves else size
                blocks.append(BasicBlock(channels, width, stride=2 if halves else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(channels, classes)

    def features(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to the inputs of the classifier, (N, 512)."""
        maps: Tensor = self.blocks(self.stem(images))
        return maps.mean(dim=(2, 3))


def _convolution(channels: int, width: int, *, kernel: int, stride: int) -> Convolution:
    # The norm that follows has a bias of its own.
    return Convolution(
        channels, width, kernel_size=kernel, stride=stride, padding=kernel // 2, bias=False
    )


def _halved(size: int) -> int:
    return (size + 1) // 2

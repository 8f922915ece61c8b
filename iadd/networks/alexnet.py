"""AlexNet for small images, as used to evaluate dataset distillation (paper, section 4.4).

Five convolutions and one linear layer (Zhao, Mopuri and Bilen, ICLR 2021), with an instance norm
after each convolution. Shapes: N images, C channels, H = W = ``image_size``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iadd.networks.base import Classifier
from iadd.networks.layers import Convolution, InstanceNorm

# Filters, kernel size, and whether a 2×2 maximum follows.
_LAYERS = ((128, 5, True), (192, 5, True), (256, 3, False), (192, 3, False), (192, 3, True))
_SIDE = 4


class AlexNet(Classifier):
    """Five convolutions, each with instance norm and ReLU, three of them with 2×2 maxima.

    Args:
        channels: C of the images, 1 for X-rays.
        classes: Number of logits.
        image_size: H = W of the images, in pixels, at least 8.

    The literature's classifier reads the 4×4 map that 32-pixel images leave. Larger maps are
    averaged to 4×4, so that the classifier does not outgrow the convolutions (at 112 pixels it
    would read 37,632 numbers); smaller ones are read as they are.
    """

    def __init__(self, *, channels: int, classes: int, image_size: int) -> None:
        super().__init__()
        layers, size = [], image_size
        for filters, kernel, pooled in _LAYERS:
            layers += [
                Convolution(channels, filters, kernel_size=kernel, padding=kernel // 2),
                InstanceNorm(filters),
                nn.ReLU(),
            ]
            if pooled:
                layers.append(nn.MaxPool2d(kernel_size=2))
                size //= 2
            channels = filters
        self.convolutions = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels * min(size, _SIDE) ** 2, classes)

    def features(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to the inputs of the classifier, (N, 192·min(H//8, 4)²)."""
        return torch.flatten(_average_to(_SIDE, self.convolutions(images)), start_dim=1)


def _average_to(side: int, maps: Tensor) -> Tensor:
    """Average to side × side, in windows of one size, which overlap where needed."""
    size = maps.shape[-1]
    if size <= side:
        return maps
    # Not the library's adaptive pooling: its gradient on GPUs differs from run to run.
    stride = size // side
    return F.avg_pool2d(maps, kernel_size=size - (side - 1) * stride, stride=stride)

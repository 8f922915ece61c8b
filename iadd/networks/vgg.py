"""VGG11 for small images, as used to evaluate dataset distillation (paper, section 4.4).

Configuration A of Simonyan and Zisserman (2015) with an instance norm after each convolution and
one linear layer (Zhao, Mopuri and Bilen, ICLR 2021).
Shapes: N images, C channels, H = W = ``image_size``.
"""

from torch import Tensor, nn

from iadd.networks.base import SMALLEST_MAP, Classifier
from iadd.networks.layers import Convolution, InstanceNorm

# Filters of the convolutions; a 2×2 maximum ends each group.
_GROUPS = ((64,), (128,), (256, 256), (512, 512), (512, 512))


class VGG11(Classifier):
    """Eight 3×3 convolutions with instance norm and ReLU, in five groups that end in 2×2 maxima.

    Args:
        channels: C of the images, 1 for X-rays.
        classes: Number of logits.
        image_size: H = W of the images, in pixels, at least 8.

    The classifier reads the mean of the last map. Images of 32 pixels leave one pixel, so that it
    is the literature's network there; at 112 pixels the mean is of 3×3. Where images are below 32
    pixels, a maximum that would leave a following norm a single pixel is left out.
    """

    def __init__(self, *, channels: int, classes: int, image_size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        size = image_size
        for number, group in enumerate(_GROUPS):
            for filters in group:
                layers += [
                    Convolution(channels, filters, kernel_size=3, padding=1),
                    InstanceNorm(filters),
                    nn.ReLU(),
                ]
                channels = filters
            smallest = 1 if number == len(_GROUPS) - 1 else SMALLEST_MAP
            if size // 2 >= smallest:
                layers.append(nn.MaxPool2d(kernel_size=2))
                size //= 2
        self.convolutions = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def features(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to the inputs of the classifier, (N, 512)."""
        maps: Tensor = self.convolutions(images)
        return maps.mean(dim=(2, 3))

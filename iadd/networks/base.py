"""Base class of every network: features, and one linear layer that reads them.

Shapes: N images, C channels, H = W pixels.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn

SMALLEST_MAP = 2
"""Pixels per side that a map must keep where a norm follows: instance norm turns a single pixel
into its bias, whatever the image, and the output would not depend on the image."""


class Classifier(nn.Module, ABC):
    """A network whose last layer is linear; subclasses define ``classifier`` and ``features``."""

    classifier: nn.Linear

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Map normalised images (N, C, H, W) to the inputs of the classifier, (N, features)."""

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, C, H, W) to logits (N, classes)."""
        logits: Tensor = self.classifier(self.features(images))
        return logits

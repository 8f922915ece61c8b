"""Published figures, to compare with ours.

Source: Li, Togo, Ogawa and Haseyama, Importance-Aware Adaptive Dataset Distillation, Table 4.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One line of a published table.

    Attributes:
        accuracy: Share of correct predictions on the test set, 0 to 1. The paper gives no spread.
        images: Training images.
        structure: The network.
    """

    accuracy: float
    images: int
    structure: str


TABLE_4_CLASSES = 4
"""COVID-19, Lung Opacity, Normal and Viral Pneumonia."""

TABLE_4_FIGURES = {
    "mtt": Published(0.827, 80, "ConvNetD5"),
    "ddpp": Published(0.841, 80, "ConvNetD5"),
    "iadd": Published(0.852, 80, "ConvNetD5"),
    "full": Published(0.889, 16_933, "ConvNetD5"),
}
"""COVID-19 detection accuracy at 20 images per class, by the name of the row that reproduces it."""

"""Published figures, to compare with ours.

Source: Li, Togo, Ogawa and Haseyama, Importance-Aware Adaptive Dataset Distillation, Tables 1, 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One line of a published table.

    Attributes:
        accuracy: Share of correct predictions on the test set, 0 to 1.
        images: Training images.
        structure: The network.
        spread: Standard deviation, as the table gives it; None where it gives none.
    """

    accuracy: float
    images: int
    structure: str
    spread: float | None = None


TABLE_4_CLASSES = 4
"""COVID-19, Lung Opacity, Normal and Viral Pneumonia."""

TABLE_4_NOTE = (
    "Paper: accuracy in Table 4 of Li, Togo, Ogawa and Haseyama, on the COVID-19 Radiography "
    "Database with its four classes; no spread is given there."
)

TABLE_4_FIGURES = {
    "from-scratch": Published(0.284, 168, "ResNet50"),
    "transfer": Published(0.539, 168, "ResNet50"),
    "mtt": Published(0.827, 80, "ConvNetD5"),
    "ddpp": Published(0.841, 80, "ConvNetD5"),
    "iadd": Published(0.852, 80, "ConvNetD5"),
    "full": Published(0.889, 16_933, "ConvNetD5"),
}
"""COVID-19 detection accuracy, distilled sets at 20 images per class, by the name of the row that
reproduces it."""


@dataclass(frozen=True)
class PublishedTable:
    """The columns of Table 1 for one set of images.

    Attributes:
        preset: Preset with the paper's setting.
        classes: Number of classes.
        train: Training images.
        structure: The network.
        percent: Accuracy and deviation in percent by row, in the order of ``IPC``; ``full`` once.
    """

    preset: str
    classes: int
    train: int
    structure: str
    percent: Mapping[str, tuple[tuple[float, float] | None, ...]]

    def figures(self, images_per_class: int) -> dict[str, Published]:
        """Return the figures at one size by row; none for a size that the paper has not."""
        if images_per_class not in IPC:
            return {}
        column, size = IPC.index(images_per_class), images_per_class * self.classes
        return {
            row: Published(
                round(found[0] / 100, 4),
                self.train if row == "full" else size,
                self.structure,
                round(found[1] / 100, 4),
            )
            for row, cells in self.percent.items()
            if (found := cells[0 if row == "full" else column]) is not None
        }


IPC = (1, 10, 50)
"""Images per class in Table 1."""

TABLE_1_NOTE = (
    "Paper: accuracy in Table 1 of Li, Togo, Ogawa and Haseyama, over five trials. Here a tenth of "
    "the published training images is kept for validation."
)

TABLE_1_FIGURES = {
    "CIFAR-10": PublishedTable(
        "paper_cifar10",
        10,
        50_000,
        "ConvNetD3",
        {
            "random": ((14.4, 2.0), (26.0, 1.2), (43.4, 1.0)),
            "forgetting": ((13.5, 1.2), (23.3, 1.0), (23.3, 1.1)),
            "herding": ((21.5, 1.2), (31.6, 0.7), (40.4, 0.6)),
            "dc": ((28.3, 0.5), (44.9, 0.5), (53.9, 0.5)),
            "dsa": ((28.8, 0.7), (52.1, 0.5), (60.6, 0.5)),
            "dm": ((26.0, 0.8), (48.9, 0.6), (63.0, 0.4)),
            "mtt": ((46.3, 0.8), (65.3, 0.7), (71.6, 0.2)),
            "ddpp": ((46.4, 0.6), (65.5, 0.3), (71.9, 0.2)),
            "iadd": ((46.5, 1.1), (66.7, 0.8), (72.6, 0.3)),
            "full": ((84.8, 0.1),),
        },
    ),
    "CIFAR-100": PublishedTable(
        "paper_cifar100",
        100,
        50_000,
        "ConvNetD3",
        {
            "random": ((4.2, 0.3), (14.6, 0.5), (30.0, 0.4)),
            "forgetting": ((4.5, 0.2), (15.1, 0.3), (30.5, 0.3)),
            "herding": ((8.4, 0.3), (17.3, 0.3), (33.7, 0.5)),
            "dc": ((12.8, 0.3), (25.2, 0.3), (29.7, 0.3)),
            "dsa": ((13.9, 0.3), (32.3, 0.3), (42.8, 0.4)),
            "dm": ((11.4, 0.3), (29.7, 0.3), (43.6, 0.4)),
            "mtt": ((24.3, 0.3), (40.1, 0.4), (47.7, 0.2)),
            "ddpp": ((24.6, 0.1), (43.1, 0.3), (48.4, 0.3)),
            "iadd": ((25.2, 0.1), (42.7, 0.5), (49.0, 0.3)),
            "full": ((56.2, 0.3),),
        },
    ),
    "Tiny ImageNet": PublishedTable(
        "paper_tiny_imagenet",
        200,
        100_000,
        "ConvNetD4",
        {
            "random": ((1.4, 0.1), (5.0, 0.2), None),
            "forgetting": ((1.6, 0.1), (5.1, 0.2), None),
            "herding": ((2.8, 0.2), (6.3, 0.2), None),
            "dc": ((5.3, 0.2), (11.1, 0.3), None),
            "dsa": ((6.6, 0.2), (16.3, 0.2), None),
            "dm": ((3.9, 0.2), (13.5, 0.3), None),
            "mtt": ((8.8, 0.3), (23.2, 0.2), None),
            "iadd": ((9.6, 0.4), (24.1, 0.3), None),
            "full": ((37.6, 0.4),),
        },
    ),
}
"""Table 1 without CAFE, EGM and DCC, which this library has not; by :attr:`PublishedSet.name`."""

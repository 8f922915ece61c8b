"""The table of a comparison: own images, received sets, and both, on own test images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iadd.config import Config
from iadd.evaluation.metrics import Evaluation
from iadd.runtime.json import finite
from iadd.sharing.class_map import ClassMap

ROWS = ("own", "received", "both")
"""Training data of the networks, in the order of the table."""

TITLES = {"own": "own", "received": "received", "both": "own + received"}
"""Titles of the rows in a table for people."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        evaluation: Its networks on the test images; ``epochs`` is how often they saw each training
            image, on average, to the nearest whole number.
        own_images: Own images that each network was trained on.
        received_images: Distilled images that each network was trained on.
        share: Received part of each mini-batch.
    """

    evaluation: Evaluation
    own_images: int
    received_images: int
    share: float

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON types: the figures of ``report.json`` and their data."""
        return {
            **self.evaluation.to_dict(),
            "own_images": self.own_images,
            "received_images": self.received_images,
            "share": self.share,
        }


@dataclass(frozen=True)
class Source:
    """The description of a received set in the table.

    Attributes:
        name: Its name.
        class_map: The own class of each of its classes.
        images: Distilled images in it.
        image_size: Their side, before they were resized to that of the own images.
        syn_lr: Its α.
        epochs: Epochs of its recipe.
    """

    name: str
    class_map: ClassMap
    images: int
    image_size: int
    syn_lr: float
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The figures of own images, received sets, and both, on the same own test images.

    Attributes:
        rows: The requested rows by name, in the order of ``ROWS``.
        classes: Own classes that the networks distinguish.
        left_out: Own classes that no received set has; they are not in any row.
        test_images: Number of test images of each class.
        steps: Steps of each network.
        own_per_class: Own training images of each class, or None where it was all of them.
        received: The sets.
        config: Settings of the networks.
    """

    rows: Mapping[str, Row]
    classes: tuple[str, ...]
    left_out: tuple[str, ...]
    test_images: Mapping[str, int]
    steps: int
    own_per_class: int | None
    received: tuple[Source, ...]
    config: Config

    def to_dict(self) -> dict[str, Any]:
        """Convert to strict JSON types; NaN and infinity become null."""
        document: dict[str, Any] = finite(
            {
                "rows": {name: row.to_dict() for name, row in self.rows.items()},
                "classes": self.classes,
                "left_out": self.left_out,
                "test_images": dict(self.test_images),
                "steps": self.steps,
                "own_per_class": self.own_per_class,
                "received": [
                    {
                        "name": source.name,
                        "class_map": dict(source.class_map),
                        "images": source.images,
                        "image_size": source.image_size,
                        "lr": source.syn_lr,
                        "epochs": source.epochs,
                    }
                    for source in self.received
                ],
                "config": self.config.to_dict(),
            }
        )
        return document

    def cells(self) -> list[list[str]]:
        """Format the table, heading first; figures are mean ± deviation over the networks."""
        names = ("balanced_accuracy", "accuracy", "auroc")
        headings = ["trained on", "images", "balanced accuracy", "accuracy", "AUROC"]
        lines = [
            [
                TITLES[name],
                f"{row.own_images + row.received_images:,}",
                *(_format_spread(row.evaluation.spread(figure)) for figure in names),
            ]
            for name, row in self.rows.items()
        ]
        return [headings, *lines]

    def notes(self) -> list[str]:
        """Write the notes that belong below the table, a sentence each."""
        tested = ", ".join(f"{name} {count:,}" for name, count in self.test_images.items())
        notes = [
            f"{self.config.evaluation.evaluation_networks} networks each, {self.steps:,} steps; "
            f"mean ± deviation. Own test images: {tested}."
        ]
        epochs, recipe = self.config.evaluation.evaluation_epochs, self.received[0].epochs
        if epochs != recipe:
            notes.append(
                f"Trained for {epochs:,} epochs of the received set, where its recipe has "
                f"{recipe:,}: every row takes the same number of steps, and own images need them."
            )
        if self.left_out:
            notes.append(
                f"Left out of every row, since no received set has it: {', '.join(self.left_out)}."
            )
        rates = "; ".join(
            f"{TITLES[name]} {row.evaluation.lr:.4g}" for name, row in self.rows.items()
        )
        notes.append(f"Learning rates: {rates}.")
        if "both" in self.rows:
            notes.append(
                f"Of each mini-batch of {TITLES['both']}, 1 in {1 / self.rows['both'].share:g} is "
                "received. Chosen on the validation split, as the learning rates were."
            )
        return notes


def _format_spread(spread: Mapping[str, float]) -> str:
    return f"{spread['mean']:.3f} ± {spread['std']:.3f}"

"""Utility of a release: balanced accuracy with distilled, random and all images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ROWS = ("distilled", "start", "random", "full")


@dataclass(frozen=True, kw_only=True)
class Utility:
    """Accuracy of networks trained on one set of images.

    Attributes:
        on: Which images, one of `ROWS`; `noisy` for the only figure of a proven set.
        images: Their number; None where the report has none.
        mean: Balanced accuracy on the owner's test images; of `noisy` accuracy, with noise.
        std: Its standard deviation over the networks.
        networks: Number of networks.
    """

    on: str
    images: int | None
    mean: float
    std: float | None
    networks: int | None


def utility_of(facts: Mapping[str, Any]) -> list[Utility]:
    """The rows that the report has measured."""
    utility: Mapping[str, Any] = facts.get("utility") or {}
    found = []
    for name in ROWS:
        row: Mapping[str, Any] = utility.get(name) or {}
        figure: Mapping[str, Any] = row.get("balanced_accuracy") or {}
        if figure.get("mean") is not None:
            found.append(
                Utility(
                    on=name,
                    images=row.get("training_images"),
                    mean=figure["mean"],
                    std=figure.get("std"),
                    networks=figure.get("n"),
                )
            )
    if noisy := facts.get("noisy_score"):
        found.append(
            Utility(
                on="noisy",
                images=(utility.get("distilled") or {}).get("training_images"),
                mean=noisy["accuracy"],
                std=None,
                networks=noisy["networks"],
            )
        )
    return found

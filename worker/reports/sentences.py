"""The report's conclusions in words. Each follows from figures of the document alone."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Conclusion:
    """One answer of the first screen.

    Attributes:
        question: What is asked.
        tone: ``good``, ``neutral`` or ``bad``.
        headline: The answer.
        detail: What it rests on.
    """

    question: str
    tone: str
    headline: str
    detail: str


def spread(figure: Mapping[str, Any], digits: int = 3) -> str:
    """Mean ± standard deviation; a dash where nothing could be measured."""
    if None in (figure["mean"], figure["std"]):
        return "–"
    return f"{figure['mean']:.{digits}f} ± {figure['std']:.{digits}f}"


def worth(document: Mapping[str, Any]) -> Conclusion:
    """Whether the distilled set does better than as many random real images."""
    utility = document["utility"]
    distilled, random, full = (
        utility[name]["balanced_accuracy"] for name in ("distilled", "random", "full")
    )
    count = utility["distilled"]["training_images"]
    if None in (*distilled.values(), *random.values()):
        return Conclusion(
            question="What it is worth",
            tone="bad",
            headline="It could not be measured",
            detail="A figure is no number: most likely a class has no test image.",
        )
    gain = distilled["mean"] - random["mean"]
    noise = math.hypot(distilled["std"], random["std"])
    if gain > noise:
        tone, headline = "good", f"Better than {count} random real images, by {gain:.3f}"
    elif gain < -noise:
        tone, headline = "bad", f"Worse than {count} random real images, by {-gain:.3f}"
    else:
        tone, headline = "neutral", f"No better than {count} random real images"
    within = "" if abs(gain) > noise else " The difference lies within the spread."
    start = ""
    if document["best_iteration"] == 0:
        start = (
            " No later iteration did better on the validation images, so these are the images "
            "that the run started from."
        )
    return Conclusion(
        question="What it is worth",
        tone=tone,
        headline=headline,
        detail=(
            f"Networks trained on these {count} images reach a balanced accuracy of "
            f"{spread(distilled)}; on as many random real images {spread(random)}, on all "
            f"{utility['full']['training_images']:,} training images {spread(full)} "
            f"({distilled['n']} networks each).{within}{start}"
        ),
    )


def leak(document: Mapping[str, Any]) -> Conclusion:
    """The verdict of the audit."""
    privacy = document["privacy"]
    headlines = {
        "refuted": ("bad", "Refuted: it gives away training images"),
        "not_refuted": ("neutral", "Not refuted, at unknown power"),
    }
    tone, headline = headlines[privacy["verdict"]]
    return Conclusion(
        question="What it leaks",
        tone=tone,
        headline=headline,
        detail=privacy["statement"],
    )


def permission(document: Mapping[str, Any]) -> Conclusion:
    """What may be done with it."""
    if document["privacy"]["verdict"] == "refuted":
        return Conclusion(
            question="What may be done with it",
            tone="bad",
            headline="It stays in this organisation",
            detail=(
                "A refuted set is never released. Distill again from another start (k_mean rather "
                "than real), or with more training images, and read the next report."
            ),
        )
    start = (
        "The images started from patients' images. " if document["initialisation"] == "real" else ""
    )
    return Conclusion(
        question="What may be done with it",
        tone="neutral",
        headline="Use it inside the organisation for now",
        detail=(
            f"{start}Nothing here refutes the set, but distances can never clear a release: that "
            "takes membership attacks of known power, which were not run. It leaves only where the "
            "organisation has decided to release such sets, and recipients accept terms."
        ),
    )

"""Conclusions of the report in words. Each follows from figures of the document alone."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from worker.reports.blocks import Conclusion, Tone
from worker.reports.formatting import NETWORKS, spread

Outcome = Literal["better", "alike", "worse", "unknown"]


def conclude(document: Mapping[str, Any]) -> list[Conclusion]:
    """Conclude on utility, privacy and permitted use."""
    return [utility(document), privacy(document), permission(document)]


def utility(document: Mapping[str, Any]) -> Conclusion:
    """Compare the distilled set with as many random real images."""
    sets = document["utility"]
    distilled, random, full = (
        sets[name]["balanced_accuracy"] for name in ("distilled", "random", "full")
    )
    count = sets["distilled"]["training_images"]
    if None in (*distilled.values(), *random.values()):
        return Conclusion(
            "How useful is it?",
            "bad",
            "It could not be measured",
            "A figure is not a number: most likely a class has no test image.",
        )
    gain = distilled["mean"] - random["mean"]
    outcome = _outcome(distilled, random)
    headlines: dict[Outcome, tuple[Tone, str]] = {
        "unknown": ("neutral", "Not known: a single network cannot exclude chance"),
        "better": ("good", f"Better than {count} random real images, by {gain:.3f}"),
        "worse": ("bad", f"Worse than {count} random real images, by {-gain:.3f}"),
        "alike": ("neutral", f"No better than {count} random real images"),
    }
    tone, headline = headlines[outcome]
    within = " The difference lies within the spread." if outcome == "alike" else ""
    start = ""
    if document["best_iteration"] == 0:
        start = (
            " No later iteration did better on the validation images, so these are the images "
            "that the run started from."
        )
    return Conclusion(
        question="How useful is it?",
        tone=tone,
        headline=headline,
        detail=(
            f"Networks trained on these {count} images reach a balanced accuracy of "
            f"{spread(distilled)}; on as many random real images {spread(random)}, on all "
            f"{sets['full']['training_images']:,} training images {spread(full)} "
            f"(networks each: {distilled['n']}).{within}{start}"
        ),
    )


def other_networks(document: Mapping[str, Any]) -> str:
    """Compare the distilled set with random real images on other networks too."""
    others = list(document["networks"].items())[1:]
    if not others:
        return "Utility for other networks was not measured: the setting cross_networks names none."
    names: dict[Outcome, list[str]] = {}
    for name, network in others:
        figures = (network[key]["balanced_accuracy"] for key in ("utility", "random"))
        names.setdefault(_outcome(*figures), []).append(NETWORKS[name])
    sentences: dict[Outcome, str] = {
        "better": "Better than as many random real images, by more than the spread",
        "alike": "No better than as many random real images, within the spread",
        "worse": "Worse than as many random real images, by more than the spread",
        "unknown": "Not known, as one network cannot exclude chance, or a figure is not a number",
    }
    found = (
        f"{words}: {', '.join(names[key])}." for key, words in sentences.items() if key in names
    )
    return f"Networks that this set was not made for. {' '.join(found)}"


def _outcome(distilled: Mapping[str, Any], random: Mapping[str, Any]) -> Outcome:
    """Judge a figure of the distilled set against that of the random images."""
    numbers = (distilled["mean"], distilled["std"], random["mean"], random["std"])
    if None in numbers or min(distilled["n"], random["n"]) < 2:
        return "unknown"
    gain = distilled["mean"] - random["mean"]
    noise = math.hypot(distilled["std"], random["std"])
    if abs(gain) <= noise:
        return "alike"
    return "better" if gain > 0 else "worse"


def privacy(document: Mapping[str, Any]) -> Conclusion:
    """State the verdict of the audit."""
    audit = document["privacy"]
    headlines: dict[str, tuple[Tone, str]] = {
        "refuted": ("bad", "Refuted: it leaks training images"),
        "not_refuted": ("neutral", "Not refuted, at unknown power"),
        "proven": ("good", "Proven: the leak is bounded"),
    }
    tone, headline = headlines[audit["verdict"]]
    return Conclusion("What does it leak?", tone, headline, audit["statement"])


def permission(document: Mapping[str, Any]) -> Conclusion:
    """State what the verdict permits."""
    question = "What may be done with it?"
    if document["privacy"]["verdict"] == "refuted":
        return Conclusion(
            question,
            "bad",
            "It stays in this organisation",
            "A refuted set is never released. Distill again from another start (k_mean rather than "
            "real), or with more training images, and read the next report.",
        )
    if document["privacy"]["verdict"] == "proven":
        return Conclusion(
            question,
            "good",
            "It may be released under terms",
            "The bound holds against every attacker, whatever they know. It limits the leak, and "
            "does not exclude one: a steward decides whether the bound is tight enough, and "
            "recipients accept terms.",
        )
    start = (
        "The images started from patients' images. " if document["initialisation"] == "real" else ""
    )
    return Conclusion(
        question,
        "neutral",
        "Use it inside the organisation for now",
        f"{start}No measure refutes the set, but distances can never clear a release: that needs "
        "membership attacks of known power, which were not run. The set leaves only where the "
        "organisation has decided to release such sets, and recipients accept terms.",
    )

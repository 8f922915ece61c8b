"""Conclusions of the report in words. Each follows from figures of the document alone."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from worker.reports import privacy_words as words
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
    undistilled = ""
    # Reports of version 0.3 and before have no figure of the start.
    if "start" in sets:
        undistilled = (
            f"on their start, not distilled, {spread(sets['start']['balanced_accuracy'])}, "
        )
    return Conclusion(
        question="How useful is it?",
        tone=tone,
        headline=headline,
        detail=(
            f"Networks trained on these {count} images reach a balanced accuracy of "
            f"{spread(distilled)}; {undistilled}on as many random real images {spread(random)}, "
            f"on all {sets['full']['training_images']:,} training images {spread(full)} "
            f"(networks each: {distilled['n']}).{within}{start}"
        ),
    )


def noisy_utility(document: Mapping[str, Any]) -> Conclusion:
    """State the score of a proven set, which is the only one that may be shown."""
    score, count = document["noisy_score"], document["utility"]["distilled"]["training_images"]
    return Conclusion(
        "How useful is it?",
        "neutral",
        f"Accuracy {score['accuracy']:.3f}, with noise",
        f"Networks trained on these {count} images reach this accuracy on the owner's test images "
        f"(networks: {score['networks']}). The figure is noisy and cost ε = "
        f"{score['epsilon']:.3g}; a comparison with real images would have cost more, and is "
        "shown inside the organisation alone.",
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
    """State the verdict of the audit, and its power where the statement does not."""
    audit = document["privacy"]
    tone, headline = verdict(audit)
    detail = [audit["statement"]]
    if audit["verdict"] == "proven":
        detail.append(words.proof_sentence(audit["proof"]) if audit.get("proof") else "")
    elif audit.get("attacks") and "power" not in audit["statement"].lower():
        detail.append(words.power_sentence(audit))
    return Conclusion("What does it leak?", tone, headline, " ".join(filter(None, detail)))


def verdict(audit: Mapping[str, Any]) -> tuple[Tone, str]:
    """Return the tone and the headline of a verdict."""
    limit = words.percent(audit.get("leak_limit"))
    match audit["verdict"]:
        case "refuted":
            return "bad", "Refuted: it leaks training images"
        case "inconclusive":
            return "warn", "Inconclusive: too little was measured to exclude a leak"
        case "not_refuted" if words.has_power(audit):
            return "neutral", f"Not refuted: no attack tried exceeds the limit of {limit}"
        case "not_refuted":
            return "warn", "Not refuted, at unknown power"
        case "proven":
            proof = audit.get("proof")
            bound = f" (ε = {proof['epsilon']:.3g})" if proof else ""
            is_loose = proof is not None and words.tpr_bound(proof) > words.LOOSE
            return "neutral" if is_loose else "good", f"Proven: the leak is bounded{bound}"
    return "warn", f"Unknown verdict: {audit['verdict']}"


def permission(document: Mapping[str, Any]) -> Conclusion:
    """State what the verdict permits."""
    question, audit = "What may be done with it?", document["privacy"]
    if audit["verdict"] == "refuted":
        return Conclusion(
            question,
            "bad",
            "It stays in this organisation",
            "A refuted set is never released. Distill again from a start that shows no patient "
            "(noise or public), with fewer images per class or more training images, and read the "
            "next report.",
        )
    if audit["verdict"] == "proven":
        return Conclusion(
            question,
            "good",
            "It may be released under terms",
            "The bound holds against every attacker, whatever they know. It limits the leak, and "
            "does not exclude one: a steward decides whether the bound is tight enough, and "
            "recipients accept terms.",
        )
    if audit["verdict"] == "not_refuted" and words.has_power(audit):
        return Conclusion(
            question,
            "neutral",
            "It may be released under terms, if your policy allows",
            "The release policy of your organisation compares these figures with its own limits, "
            "and a steward decides. A measurement covers the attacks that were tried: recipients "
            "accept terms that forbid further ones.",
        )
    start = words.STARTS.get(document["initialisation"], "")
    reads = f"{start} " if document["initialisation"] in ("real", "k_mean") else ""
    return Conclusion(
        question,
        "warn",
        "Use it inside the organisation for now",
        f"{reads}Distances alone can never clear a release: that needs membership attacks whose "
        "power is known and whose upper bounds stay below the limit. More test runs "
        "(audit_standard, audit_full) narrow the bounds. The release policy of your organisation "
        "decides whether anything else is accepted.",
    )

"""What an archive is expected to become, as data, and the comparison with what it became."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Counts = Mapping[str, int]
READY, AWAITING, REJECTED = "ready", "awaiting_mapping", "rejected"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One archive.

    Attributes:
        name: of the archive, without its ending.
        status: what it becomes without a word from anybody.
        classes: images by class: of the dataset, or of the best reading while a mapping is awaited.
        splits: by class, the images of ``train``, ``validation`` and ``test``; None where the
            service splits.
        findings: by code, how many; all of them.
        refused: files by code; all of them.
        ignored: files by kind; all of them.
        said: words of the rejection, or of the questions.
        confirmed: what it becomes when the best reading is confirmed.
        patients: that the report counts; None for any.
        looks: bits of drawn chests that the pictures are to look like; None where they are not.
        grey_like: changes such a chest of 8 bits into what the picture looks like.
        grey: how its values are meant (`tests.intake_cases.grey`); None to leave that unlooked at.
        planted: words that nothing may show.
        has_text: whether names are burned into pictures; by the search for text.
    """

    name: str
    status: str = READY
    classes: Counts = field(default_factory=dict)
    splits: Mapping[str, tuple[int, int, int]] | None = None
    findings: Counts = field(default_factory=dict)
    refused: Counts = field(default_factory=dict)
    ignored: Counts = field(default_factory=dict)
    said: tuple[str, ...] = ()
    confirmed: str = READY
    patients: int | None = None
    looks: int | None = None
    grey_like: Callable[[Any, int], Any] | None = None
    grey: str | None = None
    planted: tuple[str, ...] = ()
    has_text: int = 0


@dataclass(frozen=True, kw_only=True)
class Became:
    """What an archive became, from the library or over REST.

    Attributes:
        status: of the dataset.
        classes: images by class and split, when it is ready.
        layout: with readings and questions, while a mapping is awaited.
        quality: the report; None while a mapping is awaited.
        problem: the words of a rejection.
    """

    status: str
    classes: Mapping[str, Counts] | None
    layout: Mapping[str, Any] | None
    quality: Mapping[str, Any] | None
    problem: Mapping[str, Any] | None


def differences(case: Case, became: Became) -> list[str]:
    """Return what is not as expected, each as a sentence; empty when all is right."""
    if became.status != case.status:
        why = became.problem or (became.layout or {}).get("questions")
        return [f"it is {became.status}, not {case.status}: {why}"]
    found = []
    if became.status == AWAITING:
        assert became.layout is not None
        best = became.layout["readings"][0]["classes"]
        _compare(found, "best reading", _totals(best), case.classes)
        said = " ".join([*became.layout["questions"], became.layout["readings"][0]["why"]])
    else:
        said = " ".join(map(str, (became.problem or {}).values()))
        _compare(found, "classes", _totals(became.classes or {}), case.classes)
        found += _of_quality(case, became.quality or {})
    if case.splits is not None and became.status == READY:
        parts = {name: tuple(counts.values()) for name, counts in (became.classes or {}).items()}
        _compare(found, "splits", parts, dict(case.splits))
    found += [f"“{word}” is missing in: {said}" for word in case.said if word not in said]
    return found


def _of_quality(case: Case, quality: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    ignored = {one["reason"]: one["count"] for one in quality["ignored"]}
    total = quality["images"] + quality["refused_count"] + sum(ignored.values())
    if case.status == READY:
        findings = {one["code"]: one["count"] for one in quality["findings"]}
        _compare(found, "findings", findings, case.findings)
    _compare(found, "entries", total, quality["entries"])
    if case.status == READY or case.ignored:
        _compare(found, "ignored", ignored, case.ignored)
    if case.status == READY or case.refused:
        _compare(found, "refused", quality["refused_by_code"], case.refused)
    if case.patients is not None:
        _compare(found, "patients", quality["patients"], case.patients)
    return found


def _compare(found: list[str], what: str, became: object, expected: object) -> None:
    if became != expected:
        found.append(f"{what}: {became}, not {expected}")


def _totals(classes: Mapping[str, Counts]) -> dict[str, int]:
    return {name: sum(counts.values()) for name, counts in classes.items()}

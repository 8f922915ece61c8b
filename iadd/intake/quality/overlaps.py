"""Finds what lies in two splits at once: near-duplicates and patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from iadd.intake.quality.clusters import Clusters
from iadd.intake.quality.duplicates import NearDuplicate
from iadd.intake.quality.findings import NAMES_SHOWN, Finding, Pair


def find_near_duplicates(
    near: Sequence[NearDuplicate], splits: Sequence[int] | None, names: Sequence[str]
) -> list[Finding]:
    """Return the findings of near-duplicate pairs, and of those between two splits.

    To leave them out keeps one picture of each cluster, and of two splits the later one (test,
    then validation), so that the images that a score comes from stay.
    """
    pairs = [
        Pair(first, second, (names[first], names[second]), correlation)
        for first, second, correlation in near
    ]
    found: list[Finding] = []
    if pairs:
        clusters = Clusters(len(names))
        for pair in pairs:
            clusters.join(pair.first, pair.second)
        members: defaultdict[int, list[int]] = defaultdict(list)
        for image in sorted({image for pair in near for image in pair[:2]}):
            members[clusters.find(image)].append(image)
        surplus: list[int] = []
        for images in members.values():
            kept = max(images, key=lambda image: splits[image] if splits is not None else 0)
            surplus += [image for image in images if image != kept]
        found.append(_of_pairs("near_duplicate", pairs, surplus))
    if splits is not None:
        across = [pair for pair in pairs if splits[pair.first] != splits[pair.second]]
        earlier = {
            pair.first if splits[pair.first] < splits[pair.second] else pair.second
            for pair in across
        }
        if across:
            found.append(_of_pairs("near_duplicate_across_splits", across, list(earlier)))
    return found


def find_patients_across(
    patients: Sequence[str | None] | None, splits: Sequence[int] | None, names: Sequence[str]
) -> list[Finding]:
    """Return the finding of patients in more than one split, counted by patient.

    To leave them out takes their images from all splits but the last of theirs.
    """
    if patients is None or splits is None:
        return []
    members: defaultdict[str, list[int]] = defaultdict(list)
    for image, patient in enumerate(patients):
        if patient is not None:
            members[patient].append(image)
    across = [images for images in members.values() if len({splits[image] for image in images}) > 1]
    if not across:
        return []
    earlier = sorted(
        image
        for images in across
        for image in images
        if splits[image] < max(splits[other] for other in images)
    )
    shown = tuple(names[image] for image in earlier[:NAMES_SHOWN])
    return [Finding("patient_across_splits", len(across), shown, tuple(earlier))]


def _of_pairs(code: str, pairs: Sequence[Pair], indices: Sequence[int]) -> Finding:
    shown = dict.fromkeys(name for pair in pairs[:NAMES_SHOWN] for name in pair.names)
    return Finding(code, len(pairs), tuple(shown), tuple(sorted(indices)), tuple(pairs))

"""Compares the pictures of a dataset with each other, and says what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from iadd.intake.quality.duplicates import NearDuplicate, near_duplicates
from iadd.intake.quality.findings import Finding, find_pictures
from iadd.intake.quality.looks import judge_greys, outliers
from iadd.intake.quality.overlaps import find_near_duplicates, find_patients_across
from iadd.intake.quality.polarity import inverted
from iadd.intake.quality.thumbnails import Pixels, stored_thumbnails
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress

MOST_IMBALANCE = 5
"""Largest class over smallest class, above which the classes are out of balance."""
_LATERAL = ("L", "LL", "RL", "LLD", "RLD", "LAT", "LATERAL")


def find_pairs(
    pixels: Pixels, digests: Sequence[bytes], on_progress: ProgressListener = ignore_progress
) -> list[NearDuplicate]:
    """Return the near-duplicates of a set, with progress (phase ``comparing``)."""
    total = max(1, len(pixels))
    return near_duplicates(
        pixels,
        digests,
        on_block=lambda done: on_progress(
            Progress(phase="comparing", done=done, total=total, unit="images")
        ),
    )


def compare(
    pixels: Pixels,
    labels: Sequence[int],
    digests: Sequence[bytes],
    patients: Sequence[str | None] | None,
    splits: Sequence[int] | None,
    names: Sequence[str],
    *,
    classes: Sequence[str] = (),
    views: Sequence[str | None] | None = None,
    pairs: Sequence[NearDuplicate] | None = None,
    on_progress: ProgressListener = ignore_progress,
) -> list[Finding]:
    """Find what is wrong with a set of N pictures.

    Args:
        pixels: uint8 (N, S, S); may be a memory-mapped file, of which some megabytes are read at a
            time.
        labels: index into `classes` of each picture.
        digests: of each picture's pixels.
        patients: a hash for each picture, None where the patient is not known; or None.
        splits: index into `iadd.intake.splits.SPLITS` of each picture; None before the split.
        names: what the findings call each picture: never a patient's name.
        classes: names of the classes, for `imbalance`.
        views: ``PA``, ``L``, … for each picture, None where it is not known; or None.
        pairs: of `find_pairs`, when it was called before the split; None calls it here.
        on_progress: phase ``comparing``; may raise to stop.

    Returns:
        The findings, those of the pixels first. None of one kind twice.
    """
    greys = judge_greys(pixels)
    empty = {*greys.blank, *greys.mask_like}
    thumbnails = stored_thumbnails(pixels, 16)
    turned = [image for image in inverted(pixels, thumbnails) if image not in empty]
    unlike = [image for image in outliers(pixels, thumbnails) if image not in empty]
    del thumbnails
    if pairs is None:
        pairs = find_pairs(pixels, digests, on_progress)
    return [
        *find_near_duplicates(pairs, splits, names),
        *find_patients_across(patients, splits, names),
        *find_pictures("inverted", turned, names),
        *find_pictures("outlier", unlike, names),
        *find_pictures("lateral", lateral(views or ()), names),
        *find_pictures("low_contrast", greys.low_contrast, names),
        *find_pictures("blank", greys.blank, names),
        *find_pictures("mask_like", greys.mask_like, names),
        *find_imbalance(labels, classes),
    ]


def lateral(views: Sequence[str | None]) -> list[int]:
    """Return the pictures whose stated view is from the side."""
    return [image for image, view in enumerate(views) if view and view.strip().upper() in _LATERAL]


def find_imbalance(labels: Sequence[int], classes: Sequence[str]) -> list[Finding]:
    """Return the finding of classes of which one has over five times the pictures of another."""
    sizes = Counter(int(label) for label in labels)
    if len(sizes) < 2:
        return []
    most = max(sizes.values())
    small = sorted(
        (label for label, size in sizes.items() if most > MOST_IMBALANCE * size),
        key=lambda label: (sizes[label], label),
    )
    if not small:
        return []
    names = tuple(classes[label] for label in small) if classes else ()
    return [Finding("imbalance", len(small), names)]

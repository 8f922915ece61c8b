"""Refuses sets that no classifier can learn from, and leaves out classes that hold too little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from iadd.intake.accounting import Accounting
from iadd.intake.errors import DatasetError

FEWEST_IMAGES = 3
"""Per class: one to train with, one to choose by, one to test with."""
_MOST_REASONS = 3


def usable_classes(
    counts: Mapping[str, int], accounting: Accounting, *, conflicts: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choose the classes with enough images.

    Args:
        counts: usable images by class.
        accounting: of the archive, for the reasons.
        conflicts: whether pictures were left out because they belong to several classes.

    Returns:
        The classes that are used, in order, and those that are left out for having too few images.

    Raises:
        DatasetError: ``no_images``, ``encrypted``, ``conflicting_labels``, ``no_classes``,
            ``one_class`` or ``too_few_images``.
    """
    if not counts:
        raise nothing_to_read(accounting, conflicts=conflicts)
    if len(counts) == 1:
        raise DatasetError(
            "one_class",
            "The archive holds one class only",
            f"All images belong to “{next(iter(counts))}”. A classifier needs two classes at "
            "least: add images of another class, or a table with a column of labels, and upload "
            "the archive again.",
        )
    used = tuple(sorted(name for name, count in counts.items() if count >= FEWEST_IMAGES))
    lost = tuple(sorted(counts.keys() - set(used)))
    if len(used) < 2:
        name = min(counts, key=lambda name: (counts[name], name))
        raise DatasetError(
            "too_few_images",
            "A class has too few images",
            f"“{name}” has {counts[name]} that can be used; {FEWEST_IMAGES} are the least, to "
            "train, to choose and to test with. Add images or leave the class out, and upload "
            "the archive again.",
        )
    return used, lost


def nothing_to_read(accounting: Accounting, *, conflicts: bool = False) -> DatasetError:
    """Describe an archive without a usable picture, by the main reasons."""
    codes = Counter(file.code for file in accounting.refused)
    if set(codes) == {"encrypted"}:
        return DatasetError(
            "encrypted",
            "The archive is protected by a password",
            "No file in it can be read. Pack the archive without a password and upload it again; "
            "the way to the portal is protected by itself.",
        )
    if conflicts:
        return DatasetError(
            "conflicting_labels",
            "Every image contradicts another",
            "The same pictures lie in several classes, so none of them teaches a class. "
            "Leave each picture in its one class, and upload the archive again.",
        )
    seen = (
        f"Of {len(accounting.refused):,} files none could be read: {main_reasons(accounting)}."
        if codes
        else "No file in it could be an image."
    )
    return DatasetError(
        "no_images",
        "The archive holds no image",
        f"{seen} Put X-rays (DICOM, PNG, JPEG, TIFF, BMP, WebP or JPEG 2000) into one folder per "
        "class, and upload the archive again.",
    )


def main_reasons(accounting: Accounting) -> str:
    """List the most frequent reasons with their counts, for a message."""
    reasons = Counter(file.reason.rstrip(".") for file in accounting.refused)
    return "; ".join(
        f"{count:,} × {reason}" for reason, count in reasons.most_common(_MOST_REASONS)
    )


def check_splits(name: str, found: Collection[int], names: tuple[str, ...], *, given: bool) -> None:
    """Refuse a class that lacks a part of the split.

    Raises:
        DatasetError: ``too_few_images``.
    """
    missing = [split for index, split in enumerate(names) if index not in found]
    if missing:
        advice = (
            "Add images to those folders, or leave the folders of the split out to have the "
            "images split for you."
            if given
            else "Add images of that class."
        )
        raise DatasetError(
            "too_few_images",
            "A class has too few images",
            f"“{name}” has no image left for: {', '.join(missing)}. {advice} Upload the archive "
            "again.",
        )

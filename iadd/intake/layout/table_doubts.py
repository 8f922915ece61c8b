"""What is in doubt about a reading by tables: rows, labels, splits."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping

from iadd.intake.layout.class_names import MOST_CLASSES, looks_like_patient
from iadd.intake.layout.folder_readings import LEAST_IMAGES, listed
from iadd.intake.layout.layout import shown
from iadd.intake.layout.mapping import Mapping
from iadd.intake.layout.placement import Placements
from iadd.intake.layout.words import split_word


def table_doubts(
    placed: Placements,
    mapping: Mapping,
    merges: AnyMapping[str, str],
    classes: AnyMapping[str, AnyMapping[str, int]],
) -> list[str]:
    """Return what a person has to confirm of a reading by tables, each as a sentence.

    Args:
        placed: the pictures, as the reading places them.
        mapping: the reading.
        merges: spellings of one class that it merges.
        classes: pictures by class and split.
    """
    doubts = []
    total = len(placed.placements)
    if count := placed.files_without_row.count:
        doubts.append(
            f"{count:,} of {total:,} images have no row in the table and would be left out. "
            "Add rows for them, or go on without them."
        )
    if count := placed.rows_contradicting.count:
        doubts.append(
            f"{count:,} images have rows with different labels and would be left out. Keep "
            "the right row of each."
        )
    if count := placed.several_labels.count:
        doubts.append(
            f"{count:,} images have several labels. Leave them out, take the first by a "
            "priority, or set one class against the rest."
        )
    if count := placed.uncertain.count:
        doubts.append(
            f"{count:,} images have uncertain labels (−1). Leave them out, or count them as "
            "positive or negative."
        )
    if count := placed.laterals.count:
        doubts.append(
            f"{count:,} lateral images would be left out. Drop the view column to keep them."
        )
    if len(classes) < 2:
        doubts.append(
            "The table gives fewer than two classes. Choose another label column, or other "
            "columns of a wide table."
        )
    if len(classes) > MOST_CLASSES:
        doubts.append(
            f"The table gives {len(classes):,} classes; at most {MOST_CLASSES} are allowed. "
            "Choose another label column, or merge classes."
        )
    elif small := [n for n, c in classes.items() if sum(c.values()) < LEAST_IMAGES]:
        doubts.append(
            f"{listed(small)} would have fewer than {LEAST_IMAGES} images. Leave them out or "
            "merge them."
        )
    if merges:
        doubts.append(
            f"{listed(sorted({*merges, *merges.values()}))} look like spellings of one class. "
            "Confirm the merge, or drop it to keep them apart."
        )
    if people := sum(map(looks_like_patient, classes)):
        doubts.append(f"{people:,} labels look like patients. Choose another label column.")
    for word, split in mapping.split_words.items():
        known = split_word(word)
        if known is not None and not known.sure:
            doubts.append(f"Is “{shown(word)}” the {split} split? Confirm or change it.")
    if placed.unknown_splits:
        doubts.append(
            f"{listed(sorted(placed.unknown_splits))} are no known splits. Say under "
            "split_words what they are."
        )
    return doubts

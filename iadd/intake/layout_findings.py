"""What the layout of an archive shows about a dataset, before a picture is looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from iadd.intake.deidentify.names import mask_path
from iadd.intake.layout.class_names import (
    looks_like_patient,
    suggested_merges,
    without_people,
)
from iadd.intake.layout.placement import Count, Placements
from iadd.intake.quality.findings import Finding
from iadd.intake.survey import Survey


def layout_findings(
    found: Survey,
    placed: Placements,
    read: Collection[str],
    *,
    empty: Sequence[str],
    kept: frozenset[str],
    key: bytes,
) -> list[Finding]:
    """Return what a person has to know of the layout; names in it are masked.

    Args:
        found: what the archive lists.
        placed: what the layout says about the pictures.
        read: classes of the pictures that could be read.
        empty: class folders without a picture.
        kept: words that names may show.
        key: of the masks.
    """
    return [
        *_of_rows(placed, kept, key),
        *_of_classes(placed, read),
        *_of_empty(empty),
        *_of_names(found),
    ]


def _of_empty(empty: Sequence[str]) -> Iterator[Finding]:
    if empty:
        yield Finding("empty_class", len(empty), without_people(empty))


def _of_rows(placed: Placements, kept: frozenset[str], key: bytes) -> Iterator[Finding]:
    for code, count in (
        ("rows_without_file", placed.rows_without_file),
        ("files_without_row", placed.files_without_row),
        ("several_labels", placed.several_labels),
        ("uncertain_labels", placed.uncertain),
        ("lateral", placed.laterals),
    ):
        if count.count:
            yield Finding(code, count.count, _masked(count, kept, key))


def _masked(count: Count, kept: frozenset[str], key: bytes) -> tuple[str, ...]:
    return tuple(
        mask_path(tuple(name.replace("\\", "/").split("/")), set(kept), key) for name in count.first
    )


def _of_classes(placed: Placements, read: Collection[str]) -> Iterator[Finding]:
    listed = {name: sum(counts.values()) for name, counts in placed.classes().items()}
    lost = sorted(listed.keys() - set(read))
    if lost and read:
        yield Finding("lost_class", len(lost), without_people(lost))
    if alike := suggested_merges({name: listed[name] for name in listed if name in read}):
        yield Finding("class_spellings", len(alike), tuple(sorted(alike)))
    if patients := sorted(name for name in read if looks_like_patient(name)):
        # The names themselves stay out of the report.
        yield Finding("patient_shaped_class", len(patients))


def _of_names(found: Survey) -> Iterator[Finding]:
    if found.names is not None:
        yield Finding("encoding_guessed", 1, (found.names.encoding,))

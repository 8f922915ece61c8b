"""Makes a dataset of an archive, or of the pictures that were read from it before.

Everything is written into a folder; nothing is raised for what an archive holds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iadd.intake.accounting import Accounting
from iadd.intake.compose import Composed, compose
from iadd.intake.decisions import NO_DECISIONS, Decisions
from iadd.intake.errors import DatasetError
from iadd.intake.layout.mapping import Mapping, MappingError
from iadd.intake.options import ReadOptions
from iadd.intake.quality_report import finding_files, quality_report, refused_files
from iadd.intake.read import (
    ACCOUNTING,
    UNREAD,
    ReadPictures,
    UnclearLayoutError,
    load_pictures,
    read_archive,
)
from iadd.intake.thumbnail_sheets import pair_sheet, thumbnail_sheet
from iadd.runtime.progress import ProgressListener, ignore_progress

IMAGES = "images.safetensors"
REFUSED = "refused.jsonl"
THUMBNAILS = "thumbnails"
SHEETS = "sheets"
"""Folder of a picture for each finding: what it is about, or pairs side by side."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an archive.

    Attributes:
        status: ``ready``, ``awaiting_mapping`` or ``rejected``.
        classes: images by class and split, when it is ready.
        quality: the quality report; None while a mapping is awaited.
        finding_files: by finding, hashes of the files that its action would be done to.
        layout: the questions to a person, while a mapping is awaited.
        signature: what archives of the same make share, while a mapping is awaited.
        mapping: how the archive was read.
        problem: ``code``, ``title`` and ``detail`` of a rejection.
    """

    status: str
    classes: dict[str, dict[str, int]] = field(default_factory=dict)
    quality: dict[str, Any] | None = None
    finding_files: dict[str, list[str]] = field(default_factory=dict)
    layout: dict[str, Any] | None = None
    signature: str | None = None
    mapping: dict[str, Any] | None = None
    problem: dict[str, str] | None = None


def examine(
    source: Path | None,
    out: Path,
    *,
    options: ReadOptions,
    mapping: Mapping | None = None,
    decisions: Decisions = NO_DECISIONS,
    texts: frozenset[str] = frozenset(),
    on_progress: ProgressListener = ignore_progress,
) -> Outcome:
    """Make a dataset in `out`: images, refused files, thumbnails, and what `read_archive` leaves.

    Args:
        source: the archive or folder; None when `out` holds `READ_FILES` already.
        out: an existing folder.
        options: key, size, limits, seed.
        mapping: what a person confirmed.
        decisions: what a steward decided about findings.
        texts: hashes of the pictures in which text was found.
        on_progress: phases ``listing``, ``reading``, ``comparing``; may raise to stop.

    Raises:
        OSError: `source` does not exist, or the disc is full.
    """
    read: ReadPictures | None = None
    try:
        if source is None:
            read = load_pictures(out)
        else:
            read = read_archive(
                source, out, options=options, mapping=mapping, on_progress=on_progress
            )
        composed = compose(
            read.pixels,
            read.records,
            out,
            accounting=read.accounting,
            decisions=decisions,
            texts=texts,
            numbered_by_class=read.mapping.patient_in_name,
            seed=options.seed,
            on_progress=on_progress,
        )
    except UnclearLayoutError as error:
        return Outcome(
            status="awaiting_mapping", layout=error.layout.to_dict(), signature=error.signature
        )
    except MappingError as error:
        return _rejected(
            "mapping-does-not-fit", "The layout does not fit the archive", str(error), read, out
        )
    except DatasetError as error:
        return _rejected(error.code.replace("_", "-"), error.title, str(error), read, out)
    refused = refused_files(read.accounting, composed)
    _write_refused(out, refused)
    _write_thumbnails(out, composed)
    _write_sheets(out, composed)
    return Outcome(
        status="ready",
        classes=composed.classes,
        quality=quality_report(read, composed, refused),
        finding_files=finding_files(read, composed),
        mapping=read.mapping.to_dict(),
    )


def _rejected(code: str, title: str, detail: str, read: ReadPictures | None, out: Path) -> Outcome:
    if read is None and (out / ACCOUNTING).exists():
        read = load_pictures(out)
    accounting: Accounting | None = None if read is None else read.accounting
    refused = refused_files(accounting, None)
    _write_refused(out, refused)
    return Outcome(
        status="rejected",
        quality=quality_report(read, None, refused),
        mapping=None if read is None or read.mapping == UNREAD else read.mapping.to_dict(),
        problem={"code": code, "title": title, "detail": detail},
    )


def _write_refused(out: Path, refused: list[dict[str, str]]) -> None:
    """One JSON line a file, so that a page of them is read without the rest."""
    with (out / REFUSED).open("w") as file:
        for one in refused:
            file.write(json.dumps(one, separators=(",", ":")) + "\n")


def _write_thumbnails(out: Path, composed: Composed) -> None:
    folder = out / THUMBNAILS
    folder.mkdir(exist_ok=True)
    for label, _ in enumerate(composed.classes):
        training = [
            number
            for number, (own, split) in enumerate(
                zip(composed.labels, composed.splits, strict=True)
            )
            if own == label and split == 0
        ]
        (folder / f"{label:04d}.png").write_bytes(thumbnail_sheet(composed.pixels, training))


def _write_sheets(out: Path, composed: Composed) -> None:
    folder = out / SHEETS
    folder.mkdir(exist_ok=True)
    for finding in composed.findings:
        if finding.pairs:
            pairs = [(pair.first, pair.second) for pair in finding.pairs]
            content = pair_sheet(composed.pixels, pairs)
        elif finding.indices:
            content = thumbnail_sheet(composed.pixels, finding.indices)
        else:
            continue
        (folder / f"{finding.code}.png").write_bytes(content)

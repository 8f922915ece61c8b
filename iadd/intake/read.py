"""Reads an archive into pictures without identity, or says what a person has to decide first.

Legend: N pictures, S the side that they are resized to.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from iadd.intake.accounting import Accounting, RefusedFile
from iadd.intake.classes import nothing_to_read
from iadd.intake.deidentify.names import mask_path
from iadd.intake.errors import DatasetError, FileError
from iadd.intake.layout.empty_classes import empty_classes
from iadd.intake.layout.layout import Layout, shown
from iadd.intake.layout.mapping import Mapping, MappingError
from iadd.intake.layout.placement import Placements, place
from iadd.intake.layout.readings import describe
from iadd.intake.layout_findings import layout_findings
from iadd.intake.options import ReadOptions
from iadd.intake.quality.findings import Finding
from iadd.intake.read_pictures import PictureReader
from iadd.intake.records import Record, StoredRecords, write_records
from iadd.intake.signature import layout_signature
from iadd.intake.survey import Survey, survey
from iadd.runtime.progress import ProgressListener, ignore_progress

PIXELS = "read.pixels"
RECORDS = "records.jsonl.gz"
ACCOUNTING = "accounting.json"
READ_FILES = (PIXELS, RECORDS, ACCOUNTING)
"""What a reading leaves in its folder; the archive is not needed any more."""
_ARCHIVE_ENDS = (
    ".zip",
    ".7z",
    ".rar",
    ".tar",
    ".tgz",
    ".tar.gz",
    ".tar.bz2",
    ".tar.xz",
    ".tar.zst",
)
_NESTED = FileError(
    "nested_archive", "Archives inside the archive are not opened; unpack it first."
)
UNREAD = Mapping()
"""Stands for the meaning of an archive that was rejected before a picture was read."""


@dataclass(frozen=True, kw_only=True)
class ReadPictures:
    """The pictures of an archive.

    Attributes:
        pixels: uint8 (N, S, S), a read-only memory map.
        records: of each picture; of a large set they are not in memory.
        accounting: of all entries; the parts of refused files are one masked name.
        findings: of the layout.
        mapping: how the archive was read.
    """

    pixels: npt.NDArray[np.uint8]
    records: Sequence[Record]
    accounting: Accounting
    findings: list[Finding]
    mapping: Mapping


class UnclearLayoutError(DatasetError):
    """An archive can be read in several ways, or in none without help.

    Attributes:
        layout: what was found, with the questions to a person.
        signature: what archives of the same make share.
    """

    def __init__(self, layout: Layout, signature: str) -> None:
        questions = " ".join(layout.questions)
        super().__init__(
            "unclear_layout",
            "How to read the archive is not clear",
            f"{questions} Nothing was read. Confirm what its folders and tables mean.",
        )
        self.layout = layout
        self.signature = signature


def read_archive(
    source: Path,
    out: Path,
    *,
    options: ReadOptions,
    mapping: Mapping | None = None,
    on_progress: ProgressListener = ignore_progress,
) -> ReadPictures:
    """Read the pictures of an archive or a folder, and write them with their records.

    Args:
        source: as `iadd.intake.containers.open.open_archive` takes it.
        out: an existing folder, for `READ_FILES`.
        options: key, size, limits.
        mapping: what the folders and tables mean, as a person confirmed it; None reads only what
            has one meaning.
        on_progress: phases ``listing`` and ``reading``; may raise to stop.

    Raises:
        UnclearLayoutError: `mapping` is None and the archive needs one.
        MappingError: `mapping` does not fit the archive.
        DatasetError: the archive cannot be read, or its classes cannot be used.
        OSError: when `source` does not exist, or the disc is full.
    """
    _read(source, out, options=options, mapping=mapping, on_progress=on_progress)
    # Only now: of 200,000 placements nothing is held any more.
    return load_pictures(out)


def _read(
    source: Path,
    out: Path,
    *,
    options: ReadOptions,
    mapping: Mapping | None,
    on_progress: ProgressListener,
) -> None:
    """Write what `load_pictures` loads."""
    found = survey(
        source,
        limits=options.limits,
        encoding=None if mapping is None else mapping.encoding,
        on_progress=on_progress,
    )
    try:
        mapping = _mapping_of(found) if mapping is None else mapping
        placed = place(found.files, mapping, found.tables)
    except UnclearLayoutError:
        raise
    except (DatasetError, MappingError):
        _leave_unread(found, out, options)
        raise
    kept = _shown_words(placed)
    empty = empty_classes(found.files, mapping, found.folders)
    # Of 200,000 names nothing is held while pictures are read.
    for held in (found.files, found.folders, found.tables):
        held.clear()
    reader = PictureReader(
        source,
        placed.placements,
        encoding=mapping.encoding or (found.names.encoding if found.names else None),
        options=options,
        accounting=found.accounting,
        kept=kept,
        on_progress=on_progress,
    )
    classes = reader.read(out / PIXELS, out / RECORDS)
    findings = layout_findings(found, placed, classes, empty=empty, kept=kept, key=options.key)
    (out / ACCOUNTING).write_text(
        json.dumps(_document(found, findings, mapping, kept=kept, options=options))
    )


def _mapping_of(found: Survey) -> Mapping:
    """Return the one meaning of what was listed."""
    if all(file.parts[-1].casefold().endswith(_ARCHIVE_ENDS) for file in found.files):
        for file in found.files:
            found.accounting.refuse(file.parts, _NESTED)
        found.files.clear()
        raise nothing_to_read(found.accounting)
    layout = _describe(found)
    if layout.certain is None:
        raise UnclearLayoutError(layout, layout_signature(found))
    return layout.certain


def _leave_unread(found: Survey, out: Path, options: ReadOptions) -> None:
    """Account for the entries of an archive whose pictures are not read."""
    if found.files:
        found.accounting.ignored["not read"] += len(found.files)
    write_records(out / RECORDS, [])
    document = _document(found, [], UNREAD, kept=frozenset(), options=options)
    (out / ACCOUNTING).write_text(json.dumps(document))


def _describe(found: Survey) -> Layout:
    try:
        return describe(found.files, found.tables, found.names, folders=found.folders)
    except DatasetError as error:
        if not found.is_disc:
            raise _naming_unread_tables(error, found) from None
        # Folders of a disc are patients, studies and series.
        raise DatasetError(
            error.code,
            "The archive is a DICOM disc without labels",
            "It holds the DICOM files of a disc (DICOMDIR), whose folders are patients and "
            "examinations; nothing in it names a class. Add a table manifest.csv with the columns "
            "file and label, or put the DICOM files into one folder per class, and upload the "
            "archive again.",
        ) from None


def _naming_unread_tables(error: DatasetError, found: Survey) -> DatasetError:
    """Say which file was to state the classes and is no table."""
    if not found.unread_tables:
        return error
    name = shown(found.unread_tables[0])
    advice = (
        f"“{name}” could not be read as a table: save it as CSV with a heading, and two columns or "
        "more that are parted by commas, semicolons or tabs."
    )
    return DatasetError(error.code, error.title, f"{error} {advice}")


def _shown_words(placed: Placements) -> frozenset[str]:
    """Words of names that say no more than the layout: classes, splits and sites."""
    words: set[str] = set()
    for one in {id(found): found for found in placed.placements}.values():
        words.update(word for word in (one.class_name, one.site) if word)
    return frozenset(words)


def _document(
    found: Survey,
    findings: list[Finding],
    mapping: Mapping,
    *,
    kept: frozenset[str],
    options: ReadOptions,
) -> dict[str, Any]:
    accounting = found.accounting
    refused = sorted(
        (mask_path(file.parts, set(kept), options.key), file.code, file.reason)
        for file in accounting.refused
    )
    return {
        "image_size": options.image_size,
        "entries": accounting.entries,
        "accepted": accounting.accepted,
        "refused": refused,
        "ignored": dict(sorted(accounting.ignored.items())),
        "findings": [
            {"code": one.code, "count": one.count, "names": list(one.names)} for one in findings
        ],
        "mapping": None if mapping == UNREAD else mapping.to_dict(),
    }


def load_pictures(folder: Path) -> ReadPictures:
    """Load what `read_archive` wrote into a folder."""
    document: AnyMapping[str, Any] = json.loads((folder / ACCOUNTING).read_text())
    records = StoredRecords(folder / RECORDS)
    size = document["image_size"]
    shape = (len(records), size, size)
    pixels = (
        np.memmap(folder / PIXELS, np.uint8, "r", shape=shape)
        if records
        else np.zeros(shape, dtype=np.uint8)
    )
    return ReadPictures(
        pixels=pixels,
        records=records,
        accounting=Accounting(
            entries=document["entries"],
            accepted=document["accepted"],
            refused=[RefusedFile((name,), code, why) for name, code, why in document["refused"]],
            ignored=Counter(document["ignored"]),
        ),
        findings=[
            Finding(one["code"], one["count"], tuple(one["names"])) for one in document["findings"]
        ],
        mapping=Mapping.from_dict(document["mapping"]) if document["mapping"] else UNREAD,
    )

"""Runs a preparation: the reader of the portal, on a workstation, without portal and network."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iadd.intake.accounting import Accounting, RefusedFile
from iadd.intake.classes import nothing_to_read, usable_classes
from iadd.intake.containers.limits import Limits
from iadd.intake.errors import DatasetError, printable
from iadd.intake.layout.class_names import patient_shaped
from iadd.intake.layout.columns import cell_labels
from iadd.intake.layout.layout import Layout, masked
from iadd.intake.layout.mapping import Mapping
from iadd.intake.layout.placement import place
from iadd.intake.layout.readings import describe
from iadd.intake.layout.tables import Table
from iadd.intake.prepare.folder import README, PreparedFolder
from iadd.intake.prepare.options import LIMITS, PrepareOptions
from iadd.intake.prepare.reading import SourceReader
from iadd.intake.prepare.readme import readme
from iadd.intake.prepare.receipt import FileReceipt
from iadd.intake.prepare.writing import PictureWriter
from iadd.intake.survey import Survey, survey
from iadd.runtime.progress import ProgressListener, ignore_progress

__all__ = [
    "DatasetError",
    "OpenQuestionsError",
    "Prepared",
    "check_usable",
    "list_source",
    "prepare",
]


class OpenQuestionsError(DatasetError):
    """A source can be read in several ways, or in none without help.

    Attributes:
        layout: what was found, with the questions.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__(
            "unclear_layout", "How to read the source is not clear", " ".join(layout.questions)
        )
        self.layout = layout


@dataclass(frozen=True)
class Prepared:
    """What a preparation came to; accepted, refused and ignored are all files of the source.

    Attributes:
        accepted: pictures by class.
        refused: files by code.
        reasons: by code, the reason as a sentence.
        ignored: files by kind or reason.
        with_text: names of the files that are held for text in the picture.
        dicom_files: scrubbed DICOM files that were written.
    """

    accepted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    with_text: tuple[str, ...] = ()
    dicom_files: int = 0


def list_source(
    source: Path,
    *,
    encoding: str | None = None,
    limits: Limits = LIMITS,
    on_progress: ProgressListener = ignore_progress,
) -> tuple[Survey, Layout]:
    """List a source and describe its layout; no picture is read.

    Raises:
        DatasetError: the source cannot be read, or holds no picture.
        OSError: there is nothing at `source`.
    """
    found = survey(source, limits=limits, encoding=encoding, on_progress=on_progress)
    return found, _describe(found)


def prepare(
    source: Path,
    out: Path,
    *,
    options: PrepareOptions,
    mapping: Mapping | None = None,
    on_progress: ProgressListener = ignore_progress,
) -> Prepared:
    """Write grey pictures, their manifest and receipts; an earlier run is continued.

    What an interrupt leaves is whole: another run goes on from there.

    Args:
        source: an archive or a folder.
        out: the folder to write; scrubbed DICOM files go into a folder beside it, ``<out>-dicom``.
        options: key, size, policies.
        mapping: what the folders and tables mean; None reads only what has one meaning.
        on_progress: phases ``listing``, ``reading``, ``writing``; may raise to stop.

    Raises:
        OpenQuestionsError: `mapping` is None and the source needs one.
        MappingError: `mapping` does not fit the source.
        DatasetError: the source cannot be read, or its classes cannot be used.
        PreparedFolderError: `out` is not free, or was made with other settings.
        OSError: there is nothing at `source`, or the disc is full.
    """
    found = survey(
        source,
        limits=options.limits,
        encoding=None if mapping is None else mapping.encoding,
        on_progress=on_progress,
    )
    mapping = mapping or _certain(found)
    placed = place(found.files, mapping, found.tables)
    _check_names(placed.classes())
    folder = PreparedFolder(
        out,
        {
            "size": options.image_size,
            "key": options.key_mark,
            "text": options.text,
            "keep_dicom": options.keep_dicom,
            "layout": _mark_of(mapping, found.tables),
        },
        dicom=out.with_name(f"{out.name}-dicom") if options.keep_dicom else None,
    )
    try:
        (out / README).write_text(readme(options), "utf-8")
        reader = SourceReader(
            source,
            placed.placements,
            files=found.accounting.entries,
            encoding=mapping.encoding or (found.names.encoding if found.names else None),
            options=options,
            folder=folder,
            on_progress=on_progress,
        )
        _run(folder, reader, on_progress)
        folder.finish()
        return _summary(folder.receipts.values(), reader.names)
    finally:
        folder.write_manifest()
        folder.close()


def check_usable(done: Prepared) -> None:
    """Refuse pictures that no classifier can learn from, before they are sent.

    Raises:
        DatasetError: as the portal would after the upload.
    """
    refused = [
        RefusedFile((), code, done.reasons[code])
        for code, count in done.refused.items()
        for _ in range(count)
    ]
    usable_classes(done.accepted, Accounting(refused=refused), conflicts=False)


def _run(folder: PreparedFolder, reader: SourceReader, on_progress: ProgressListener) -> None:
    reader.read()
    folder.forget_missing(set(reader.names))
    writer = PictureWriter(folder, reader.names, on_progress)
    if stale := writer.scaled_otherwise():
        # Files were added since, and with them the grey levels of a group reach higher.
        reader.read(again=stale)
        writer = PictureWriter(folder, reader.names, on_progress)
    writer.write()


def _certain(found: Survey) -> Mapping:
    layout = _describe(found)
    if layout.certain is None:
        raise OpenQuestionsError(layout)
    return layout.certain


def _describe(found: Survey) -> Layout:
    if not found.files:
        raise nothing_to_read(found.accounting)
    try:
        return describe(found.files, found.tables, found.names, folders=found.folders)
    except DatasetError as error:
        if not found.is_disc:
            raise
        raise DatasetError(
            error.code,
            "The source is a DICOM disc without labels",
            "It holds the DICOM files of a disc (DICOMDIR), whose folders are patients and "
            "examinations; nothing in it names a class. Add a table manifest.csv with the columns "
            "file and label, or put the DICOM files into one folder per class.",
        ) from None


def _check_names(classes: Iterable[str]) -> None:
    """Refuse class names that may not leave, or that a table cannot hold."""
    classes = list(classes)
    for name in classes:
        if cell_labels(name) != (name,):
            raise DatasetError(
                "class_name",
                "A class has a name that says nothing in a table",
                f"“{printable(name)}” in a column of labels means that the label is not known, or "
                "several ones. Rename the class in the layout: under “merge”, with a longer name.",
            )
    if patients := patient_shaped(classes):
        shown = ", ".join(f"“{masked(name)}”" for name in patients[:3])
        raise DatasetError(
            "class_like_patient",
            "Names of classes look like patients",
            f"{len(patients)} of the classes look like a person or a number of one ({shown}, "
            "letters and digits replaced). Class names would leave the hospital, so nothing was "
            "written. Give the level of folders another role in the layout, or rename the class "
            "there with “merge”.",
        )


def _mark_of(mapping: Mapping, tables: Sequence[Table]) -> str:
    """What the rows of the manifest depend on beside the files."""
    digest = hashlib.sha256(json.dumps(mapping.to_dict(), sort_keys=True).encode())
    for table in sorted(tables, key=lambda table: table.name):
        for column in table.columns:
            cells = [table.name, column, *table.values(column)]
            digest.update(json.dumps(cells).encode())
    return digest.hexdigest()[:16]


def _summary(receipts: Iterable[FileReceipt], present: Iterable[str]) -> Prepared:
    summary = Prepared()
    present = set(present)
    held, dicom = [], 0
    for one in receipts:
        if one.path not in present:
            continue
        if one.row is not None and one.became is not None:
            summary.accepted[one.row.label] += 1
            dicom += one.dicom is not None
        elif one.status == "refused":
            summary.refused[one.code or ""] += 1
            summary.reasons[one.code or ""] = one.reason or ""
            if one.code == "text_in_picture":
                held.append(one.file)
        else:
            summary.ignored[one.reason or ""] += 1
    return Prepared(
        summary.accepted, summary.refused, summary.reasons, summary.ignored, tuple(held), dicom
    )

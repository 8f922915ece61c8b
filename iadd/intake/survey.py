"""The first pass over an archive: names, sizes and tables; no picture is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from iadd.intake.accounting import Accounting
from iadd.intake.containers.guess_encoding import NamesGuess
from iadd.intake.containers.limits import DEFAULT_LIMITS, Limits
from iadd.intake.containers.open import open_archive
from iadd.intake.errors import FileError
from iadd.intake.layout.listing import ListedFile
from iadd.intake.layout.tables import MOST_CELLS, Table, is_table_name
from iadd.intake.paths import ignore_reason, path_parts
from iadd.intake.pictures.npz import is_npz, read_npz
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress

_REPORT_EVERY = 500
_MOST_TABLES = 100
"""Sets of public make have up to four; more are notes on each picture."""
_ENDS_OF_TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".xlsx")
_UNSAFE = FileError("unsafe_name", "Its name points outside the archive; pack it again.")


@dataclass
class Survey:
    """What an archive lists.

    Attributes:
        files: the candidates for pictures, in the order of the archive.
        tables: the tables that could be parsed, by their path.
        unread_tables: paths of those that are called tables and are none.
        names: the guess at the encoding of the names, None where none is needed.
        accounting: of all other entries.
        folders: every folder, also those that hold no candidate.
        is_disc: whether it holds the index of a DICOM disc.
    """

    files: list[ListedFile] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    unread_tables: list[str] = field(default_factory=list)
    names: NamesGuess | None = None
    accounting: Accounting = field(default_factory=Accounting)
    folders: list[tuple[str, ...]] = field(default_factory=list)
    is_disc: bool = False


def survey(
    source: Path,
    *,
    limits: Limits = DEFAULT_LIMITS,
    encoding: str | None = None,
    on_progress: ProgressListener = ignore_progress,
) -> Survey:
    """List an archive or a folder.

    Args:
        source: as `open_archive` takes it.
        limits: bounds on its cost.
        encoding: of names that do not state their own; None lets it be guessed.
        on_progress: called at every five-hundredth entry; phase ``listing``.

    Raises:
        DatasetError: the archive cannot be read, or is beyond its limits.
    """
    found = Survey()
    if is_npz(source):
        return _of_arrays(source)
    folders: dict[tuple[str, ...], None] = {}
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    with open_archive(source, limits, encoding=encoding) as archive:
        for count, entry in enumerate(archive.entries):
            if count % _REPORT_EVERY == 0:
                on_progress(
                    Progress(
                        phase="listing", done=entry.position, total=archive.total, unit=archive.unit
                    )
                )
            found.accounting.entries += 1
            parts = path_parts(entry.name)
            if parts is None:
                found.accounting.refuse((entry.name,), _UNSAFE)
                continue
            reason = "tables" if is_table_name(parts[-1]) else ignore_reason(parts)
            found.is_disc |= parts[-1].casefold() == "dicomdir"
            if reason != "system files" or ignore_reason((*parts[:-1], "x.png")) is None:
                folders[parts[:-1]] = None
            if reason is None:
                # The names of folders are held once.
                folder = shared.setdefault(parts[:-1], parts[:-1])
                found.files.append(ListedFile((*folder, parts[-1]), entry.size))
            elif reason == "tables":
                found.accounting.ignored[_table(found, parts, entry.read)] += 1
            else:
                found.accounting.ignored[reason] += 1
        found.names = archive.names
        for name in archive.folders:
            parts = path_parts(name)
            if parts is not None and ignore_reason((*parts, "x.png")) is None:
                folders[parts] = None
    found.folders = list(folders)
    return found


def _table(found: Survey, parts: tuple[str, ...], read: Callable[[], bytes]) -> str:
    """Keep a table for the layout; return what it counts as."""
    cells = sum(table.rows * len(table.columns) for table in found.tables)
    if len(found.tables) >= _MOST_TABLES or cells >= MOST_CELLS:
        return "further tables"
    try:
        table = Table.parse("/".join(parts), read())
    except FileError:
        table = None
    if table is None:
        if parts[-1].casefold().endswith(_ENDS_OF_TABLES):
            found.unread_tables.append("/".join(parts))
        return "documents"
    found.tables.append(table)
    return "tables"


def _of_arrays(source: Path) -> Survey:
    """List the pictures of a MedMNIST file, whose folders are split and class."""
    found = Survey()
    for picture in read_npz(source):
        found.files.append(ListedFile(tuple(picture.name.split("/")), picture.pixels.nbytes))
    found.accounting.entries = len(found.files)
    return found

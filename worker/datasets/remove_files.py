"""Removes files from an archive by writing a new one. Pure: one file in, one out."""

import zipfile
from collections.abc import Callable
from pathlib import Path

from iadd.intake.containers.limits import DEFAULT_LIMITS, Limits
from iadd.intake.containers.open import open_archive
from iadd.intake.errors import FileError

_DATE = (1980, 1, 1, 0, 0, 0)


def write_without(
    archive: Path,
    target: Path,
    is_named: Callable[[str], bool],
    *,
    limits: Limits = DEFAULT_LIMITS,
    on_entry: Callable[[], None] = lambda: None,
) -> int:
    """Write a zip of everything in an archive but the files that are named.

    Images are compressed already, so they are stored as they are. Files that cannot be read are
    left out too: the check of the first archive refused them.

    Args:
        archive: As it was uploaded.
        target: Where to write.
        is_named: Returns True for the name of a file that is to be left out.
        limits: Limits of the archive.
        on_entry: Called before each file; may raise to stop.

    Returns:
        Number of files that were left out because they are named.

    Raises:
        DatasetError: When the archive cannot be read.
        OSError: When `archive` is not there, or `target` cannot be written.
    """
    removed = 0
    with (
        open_archive(archive, limits) as opened,
        zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as written,
    ):
        for entry in opened.entries:
            on_entry()
            if is_named(entry.name):
                removed += 1
                continue
            try:
                content = entry.read()
            except FileError:
                continue
            written.writestr(zipfile.ZipInfo(entry.name, _DATE), content)
    return removed

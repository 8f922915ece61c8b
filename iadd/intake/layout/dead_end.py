"""Says why no class can be found in an archive, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from iadd.intake.errors import DatasetError
from iadd.intake.layout.folder_readings import listed
from iadd.intake.layout.layout import shown
from iadd.intake.layout.levels import Kind, Survey
from iadd.intake.layout.table_readings import TableUse, heading_says_files


def dead_end(uses: Sequence[TableUse], levels: Sequence[Survey]) -> DatasetError:
    """Return the error for an archive whose classes no mapping could find.

    Args:
        uses: what its tables could be used for.
        levels: of its folders.
    """
    for use in uses:
        if heading_says_files(use.table) and not use.files:
            return DatasetError(
                "table_names_no_file",
                "The table names no file of the archive",
                f"None of the {use.table.rows:,} rows of “{shown(use.table.name)}” names a "
                "file of the archive. Correct its file column, and upload the archive again.",
            )
    level_kinds = [level.kind for level in levels]
    there = " and ".join(f"“{shown(use.table.name)}”" for use in uses[:3])
    table = f" No column of {there} could be used for labels." if there else ""
    if Kind.PATIENT in level_kinds or Kind.STUDY in level_kinds:
        return DatasetError(
            "no_classes",
            "The folders are patients, and nothing states the classes",
            "The folders look like patients and examinations, which are no classes."
            + table
            + " Add a table manifest.csv with the columns file and label, or one folder per "
            "class.",
        )
    folders = [name for level in levels for name in level.names]
    constant = [k for k in level_kinds if k is not Kind.CONSTANT]
    if folders and not constant:
        name = listed([next(iter(level.names)) for level in levels][-1:])
        return DatasetError(
            "one_class",
            "The archive holds one class alone",
            f"All images lie in one folder ({name}).{table} Make one folder per class, at "
            "least two, or add a table manifest.csv with the columns file and label.",
        )
    named = f" The folders {listed(folders)} are no classes." if folders else ""
    return DatasetError(
        "no_classes",
        "Nothing states the classes of the images",
        f"The images lie in no class folders.{named}{table} Make one folder per class, or add "
        "a table manifest.csv with the columns file and label.",
    )

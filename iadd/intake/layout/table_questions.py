"""What is asked about an archive's tables: which of them count, and whether they read right."""

from __future__ import annotations

from collections.abc import Sequence

from iadd.intake.layout.layout import shown
from iadd.intake.layout.mapping import TABLE_NAME_COLUMN, Mapping, Role
from iadd.intake.layout.table_readings import TableUse, heading_says_files, problems_of


def table_questions(uses: Sequence[TableUse], best: Mapping) -> list[str]:
    """Return what is asked about the tables of an archive, each as a sentence.

    Args:
        uses: what each of them could be used for.
        best: the reading that fits best.
    """
    questions: list[str] = []
    labelled = [use for use in uses if use.labelled]
    csv = best.csv
    used = {table.file for table in csv.tables()} if csv is not None else set()
    for use in uses:
        if not (use.says_something or heading_says_files(use.table)):
            continue
        name = f"“{shown(use.table.name)}”"
        if use.table.name in used:
            questions.append(_question_on(use, best))
        elif use.says_something:
            what = "labels" if use.labelled else "further facts"
            questions.append(f"{name} holds {what} too. Use it, or go on without it.")
        questions += problems_of(use)
    if questions and Role.PATIENT in best.levels:
        level = best.levels.index(Role.PATIENT) + 1
        questions.append(
            f"The folders of level {level} look like patients: each stays in one split and is "
            "no class. Confirm it, or choose another role."
        )
    overlapping = [use for use in labelled if use.table.name not in used]
    if overlapping and any(use.table.name in used for use in labelled):
        questions.append(
            f"{len(labelled):,} tables give labels to the same images. Choose the one that counts."
        )
    return questions


def _question_on(use: TableUse, mapping: Mapping) -> str:
    """Return the question whether a table is read right, with what it is read as."""
    used = mapping.csv.tables() if mapping.csv is not None else ()
    columns = next(table.columns for table in used if table.file == use.table.name)
    read = "; ".join(f"{role}: {_column_text(column)}" for role, column in columns.items())
    holds = "holds labels" if "label" in columns else "holds further facts"
    return (
        f"“{shown(use.table.name)}” {holds}; {use.rows_with_file:,} of its {use.table.rows:,} rows "
        f"name a file. Is it read right ({read})?"
    )


def _column_text(column: str | list[str]) -> str:
    if column == TABLE_NAME_COLUMN:
        return "by the table's name"
    if isinstance(column, str):
        return f"“{shown(column)}”"
    first = " + ".join(f"“{shown(name)}”" for name in column[:4])
    return first if len(column) <= 4 else f"{first} and {len(column) - 4} more"

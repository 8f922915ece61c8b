"""What each table of an archive says, and how several of them go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from iadd.intake.layout.columns import (
    cell_labels,
    contract_role,
    heading_role,
    headings_by_role,
    is_blank,
    is_wide,
    names_study,
)
from iadd.intake.layout.layout import Column, ListedTable, shown
from iadd.intake.layout.mapping import TABLE_NAME_COLUMN, TableMapping
from iadd.intake.layout.row_match import FileFinder
from iadd.intake.layout.tables import Table
from iadd.intake.layout.words import is_view, split_in, split_of

_SAMPLE_ROWS = 200
_MOST_LABELS = 200


@dataclass
class TableUse:
    """What one table says about the files.

    Attributes:
        table: the table.
        columns: by role, the column or columns to use; without ``file`` where none matches.
        files: the files that its rows name.
        rows_with_file: how many rows name a file.
        ambiguous: how many rows fit several files.
        doubled: how many rows name a file that an earlier row names.
        choices: by role, headings that name the same role as the chosen one.
    """

    table: Table
    columns: dict[str, str | list[str]]
    files: frozenset[int] = frozenset()
    rows_with_file: int = 0
    ambiguous: int = 0
    doubled: int = 0
    choices: dict[str, list[str]] = field(default_factory=dict)

    @property
    def says_something(self) -> bool:
        """Whether it has a label, patient, split, view or site for some file."""
        return bool(self.files) and len(self.columns) > 1

    @property
    def labelled(self) -> bool:
        """Whether it gives labels to some files."""
        return "label" in self.columns and bool(self.files)

    def mapping(self, *roles: str) -> TableMapping:
        """Return its mapping, of `roles` alone where any are given."""
        kept = {
            role: column
            for role, column in self.columns.items()
            if not roles or role == "file" or role in roles
        }
        return TableMapping(self.table.name, kept)


def use_of(table: Table, finder: FileFinder) -> TableUse:
    """Find out which column names files, and which others say something."""
    roles = headings_by_role(table.columns)
    use = TableUse(table, {})
    column = _file_column(table, finder, roles)
    if column is not None:
        use.columns["file"] = column
        found = finder.files_of(table, column)
        seen: set[int] = set()
        for files in found.files:
            use.rows_with_file += bool(files)
            # A study has several files; a row of it doubles another only when all are known.
            use.doubled += bool(files) and seen.issuperset(files)
            seen.update(files)
        use.files = frozenset(seen)
        use.ambiguous = len(found.ambiguous)
    used = set(column) if isinstance(column, list) else {column or ""}
    label = _label(table, roles, used)
    if label is not None:
        use.columns["label"] = label
    for role, fits in (
        ("patient", lambda values: any(not is_blank(cell) for cell in values)),
        ("split", _are_splits),
        ("view", lambda values: any(map(is_view, set(values[:_SAMPLE_ROWS])))),
        ("site", lambda values: any(not is_blank(cell) for cell in values)),
    ):
        names = [name for name in roles.get(role, []) if name not in used or role == "patient"]
        fitting = [name for name in names if fits(table.values(name))]
        if fitting:
            use.columns[role] = fitting[0]
        if len(fitting) > 1:
            use.choices[role] = fitting
    if "split" not in use.columns and split_in(table.stem):
        use.columns["split"] = TABLE_NAME_COLUMN
    return use


def _are_splits(values: Sequence[str]) -> bool:
    distinct = {cell for cell in values if not is_blank(cell)}
    return 0 < len(distinct) <= 20 and 2 * sum(map(bool, map(split_of, distinct))) >= len(distinct)


def _file_column(
    table: Table, finder: FileFinder, roles: dict[str, list[str]]
) -> str | list[str] | None:
    named = roles.get("file", [])
    patients = roles.get("patient", [])
    studies = [name for name in table.columns if names_study(name)]
    candidates: list[str | list[str]] = [*named]
    candidates += [[patient, study] for patient in patients[:1] for study in studies[:1]]
    candidates += [*studies[:1], *patients[:1]]
    others = [name for name in table.columns if name not in candidates][:30]
    rows = range(0, table.rows, max(1, table.rows // _SAMPLE_ROWS))
    best: tuple[int, str | list[str]] | None = None
    for group in (named, candidates[len(named) :], others):
        for column in group:
            found = finder.files_of(table, column, rows)
            matched = found.matched or (1 if group is named and found.ambiguous else 0)
            if matched and (best is None or matched > best[0]):
                best = (matched, column)
        if best is not None and best[0] >= 0.05 * len(rows):
            break
    return None if best is None else best[1]


def _label(table: Table, roles: dict[str, list[str]], used: set[str]) -> str | list[str] | None:
    for name in roles.get("label", []):
        distinct = {cell for cell in set(table.values(name)) if not is_blank(cell)}
        labels = {label for cell in distinct for label in cell_labels(cell)}
        if name not in used and 0 < len(labels) <= _MOST_LABELS:
            return name
    wide = [
        name for name in table.columns if name not in used and is_wide(name, table.values(name))
    ]
    if wide:
        return wide
    # Without a known heading, a column of few words is the likeliest.
    few: list[tuple[int, str]] = []
    for name in table.columns:
        if name in used or heading_role(name) is not None:
            continue
        distinct = {cell for cell in set(table.values(name)) if not is_blank(cell)}
        words = all(not cell.replace(".", "", 1).lstrip("-").isdigit() for cell in distinct)
        if words and 2 <= len(distinct) <= min(20, max(2, table.rows // 3)):
            few.append((len(distinct), name))
    return few[0][1] if len(few) == 1 else None


def is_plain_manifest(use: TableUse, files: int) -> bool:
    """Return whether a table needs no question: the contract's own headings, a file in each row.

    A table of another name than ``manifest`` must have the first names of the contract, each file
    a row, and each row one label.
    """
    table = use.table
    own = table.stem.casefold() == "manifest"
    roles = [contract_role(name, also=own) for name in table.columns]
    if None in roles or len(set(roles)) < len(roles) or not {"file"} < set(roles):
        return False
    if not table.has_header or table.ragged or table.doubled or table.cut:
        return False
    if use.columns.keys() != set(roles) or use.doubled or use.ambiguous:
        return False
    return use.rows_with_file == table.rows and len(use.files) == files


def combined(uses: Sequence[TableUse]) -> list[TableMapping]:
    """Return the ways to use the tables together, the one that labels most files first.

    Tables that label different files (``train.csv`` and ``valid.csv``) go together; of those that
    label the same files, one is used. Tables without labels add patients, splits and views.
    """
    labelled = sorted((use for use in uses if use.labelled), key=lambda use: -len(use.files))
    others = [use for use in uses if not use.labelled and use.says_something]
    ways: list[TableMapping] = []
    taken: set[str] = set()
    for first in labelled:
        if first.table.name in taken:
            continue
        group = [first]
        covered = set(first.files)
        for use in labelled:
            new = use is not first and len(use.files & covered) <= 0.1 * len(use.files)
            if new and _same_labels(first, use):
                group.append(use)
                covered |= use.files
        taken |= {use.table.name for use in group}
        ways.append(_together(group, others))
    if not labelled and others:
        ways.append(_together(others[:1], others[1:]))
    return ways


def _same_labels(first: TableUse, second: TableUse) -> bool:
    one, two = first.columns["label"], second.columns["label"]
    return isinstance(one, str) == isinstance(two, str)


def _together(group: Sequence[TableUse], others: Sequence[TableUse]) -> TableMapping:
    single = len(group) == 1
    stated = {role for use in group for role in use.columns}
    if single and group[0].columns.get("split") == TABLE_NAME_COLUMN:
        # One table named ``train`` says nothing about a split; two of them do.
        stated.discard("split")
        group = [_without_split(group[0])]
    maps = [use.mapping() for use in group]
    for use in others:
        new = [
            role
            for role in use.columns
            if role != "file" and role not in stated and use.columns[role] != TABLE_NAME_COLUMN
        ]
        if new:
            maps.append(use.mapping(*new))
            stated.update(new)
    return TableMapping(maps[0].file, maps[0].columns, tuple(maps[1:]))


def _without_split(use: TableUse) -> TableUse:
    columns = {role: column for role, column in use.columns.items() if role != "split"}
    return TableUse(use.table, columns, use.files, use.rows_with_file)


def listed_table(use: TableUse) -> ListedTable:
    """Describe a table for the page: its columns, and what is odd about it."""
    table = use.table
    label = use.columns.get("label")
    wide = set(label) if isinstance(label, list) else set()
    columns = []
    for name in table.columns:
        role = heading_role(name)
        chosen = next((r for r, c in use.columns.items() if name == c), None)
        role = chosen or role
        shows = role in ("label", "split", "view", "site") or name in wide
        samples = list(dict.fromkeys(table.values(name)))[:8] if shows else []
        columns.append(
            Column(
                name=shown(name),
                role="label" if name in wide else role,
                wide=name in wide,
                samples=tuple(shown(cell) for cell in samples if cell),
            )
        )
    return ListedTable(
        name=shown(table.name),
        rows=table.rows,
        rows_with_file=use.rows_with_file,
        columns=tuple(columns),
        problems=tuple(problems_of(use)),
    )


def problems_of(use: TableUse) -> list[str]:
    """Return what is odd about a table, each as a sentence with what to do."""
    table, name = use.table, f"“{shown(use.table.name)}”"
    problems = []
    if table.doubled:
        twice = ", ".join(f"“{shown(column)}”" for column in table.doubled[:5])
        problems.append(
            f"{name} has the column {twice} twice; the second one is called “… (2)”. Choose one."
        )
    if table.ragged:
        problems.append(
            f"{table.ragged:,} rows of {name} have more or fewer cells than its heading. Look for "
            "separators inside cells, and put such cells in quotes."
        )
    if table.cut:
        problems.append(
            f"{name} has more rows than can be read; those after row {table.rows:,} are left out. "
            "Divide it into several tables."
        )
    if not use.files and not use.ambiguous and heading_says_files(table):
        problems.append(
            f"None of the {table.rows:,} rows of {name} names a file of the archive. Correct its "
            "paths, or leave the table out."
        )
    elif use.files and use.rows_with_file < table.rows:
        problems.append(
            f"{table.rows - use.rows_with_file:,} of {table.rows:,} rows of {name} name no file of "
            "the archive. Add the files, or go on without those rows."
        )
    if use.ambiguous:
        problems.append(
            f"{use.ambiguous:,} rows of {name} fit several files. Write more of their folders into "
            "the file column."
        )
    if use.doubled:
        problems.append(
            f"{use.doubled:,} rows of {name} name a file that another row names. Keep one each."
        )
    for role, names in use.choices.items():
        choice = ", ".join(f"“{shown(column)}”" for column in names[:5])
        problems.append(f"{name} has several columns for the {role}: {choice}. Choose one.")
    return problems


def heading_says_files(table: Table) -> bool:
    """Return whether a table claims to be about files or patients of the set."""
    roles = headings_by_role(table.columns)
    return "file" in roles and bool(roles.keys() - {"file"})

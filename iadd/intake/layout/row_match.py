"""Brings the rows of the mapped tables to the files they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from iadd.intake.layout.columns import cell_labels, heading_role, is_blank, names_study, wide_value
from iadd.intake.layout.mapping import MappingError, TableMapping
from iadd.intake.layout.path_match import FolderIndex, PathIndex
from iadd.intake.layout.tables import Table


@dataclass(slots=True)
class FileRow:
    """What the tables say about one file.

    Attributes:
        labels: the classes it is positive for.
        uncertain: the columns of a wide table that say −1, unless −1 counts as an answer.
        answered: whether a wide table says anything on it, 0 included.
        contradicting: whether two rows give it different labels.
        patient: as it stands, None for a blank cell; so are `split`, `view` and `site`.
    """

    labels: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    answered: bool = False
    contradicting: bool = False
    patient: str | None = None
    split: str | None = None
    view: str | None = None
    site: str | None = None


@dataclass
class RowsOfFiles:
    """The rows by file.

    Attributes:
        rows: one per file, None where no row of a table with labels (or, where no table has
            labels, of any) names it.
        without_file: the file cells of rows whose file is not there.
        ambiguous: the file cells of rows that fit several files.
        doubled: the files that a second row of one table names.
    """

    rows: list[FileRow | None]
    without_file: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)


@dataclass
class FilesOfRows:
    """The files by row of one table.

    Attributes:
        files: by row, the files it names; () for none.
        agreeing: by row, how many parts of the path agree.
        ambiguous: the rows that fit several files.
    """

    files: list[tuple[int, ...]]
    agreeing: list[int]
    ambiguous: list[int]

    @property
    def matched(self) -> int:
        """How many rows name a file."""
        return sum(map(bool, self.files))


class FileFinder:
    """Finds files by path or by folders; its indexes are built when they are first needed."""

    def __init__(self, files: Sequence[tuple[str, ...]]) -> None:
        self._parts = files
        self._paths: PathIndex | None = None
        self._folders: FolderIndex | None = None

    def files_of(
        self, table: Table, column: str | list[str], rows: range | None = None
    ) -> FilesOfRows:
        """Return the files that the rows of `table` name in `column`.

        A list of columns names folders; a single one names files, or, where none of its cells
        does and it numbers patients or studies, folders.
        """
        chosen = range(table.rows) if rows is None else rows
        if isinstance(column, str):
            by_path = self._by_path(table.values(column), chosen)
            if any(by_path.files) or not (names_study(column) or heading_role(column) == "patient"):
                return by_path
            return self._by_folder(table, [column], chosen)
        joined = self._by_folder(table, column, chosen)
        if any(joined.files):
            return joined
        cells = [table.values(name) for name in column]
        return self._by_path(
            {row: "/".join(values[row] for values in cells) for row in chosen}, chosen
        )

    def _by_path(self, values: Sequence[str] | dict[int, str], rows: range) -> FilesOfRows:
        index = self._paths = self._paths or PathIndex(self._parts)
        found = FilesOfRows([], [], [])
        for row in rows:
            file, agreeing = index.find(values[row])
            if file is None and agreeing:
                found.ambiguous.append(row)
            found.files.append(() if file is None else (file,))
            found.agreeing.append(agreeing)
        return found

    def _by_folder(self, table: Table, columns: list[str], rows: range) -> FilesOfRows:
        index = self._folders = self._folders or FolderIndex(self._parts)
        cells = [table.values(name) for name in columns]
        found = FilesOfRows([], [], [])
        for row in rows:
            found.files.append(tuple(index.find([values[row] for values in cells])))
            found.agreeing.append(len(columns))
        return found


def rows_of_files(
    files: Sequence[tuple[str, ...]],
    mapping: TableMapping,
    tables: Sequence[Table],
    uncertain: str,
) -> RowsOfFiles:
    """Bring the rows of every mapped table to the files.

    Where several rows of one table name a file, the row whose path agrees longest counts; rows
    that agree equally well and give different labels contradict each other.

    Raises:
        MappingError: a table or a column is not there.
    """
    result = RowsOfFiles([None] * len(files))
    finder = FileFinder(files)
    labelled = mapping.states("label")
    by_name = {table.name: table for table in tables}
    has_label_row = bytearray(len(files))
    for part in mapping.tables():
        table = by_name.get(part.file)
        if table is None:
            raise MappingError(
                "The archive holds no table of the name under csv.file: give its path in the "
                "archive, as the list of tables shows it."
            )
        _check_columns(table, part)
        column = part.columns["file"]
        found = finder.files_of(table, column)
        read = _RowReader(table, part, uncertain)
        cells = table.values(column if isinstance(column, str) else column[-1])
        ambiguous = set(found.ambiguous)
        best: dict[int, tuple[int, int]] = {}
        for row, (named, agreeing) in enumerate(zip(found.files, found.agreeing, strict=True)):
            if row in ambiguous:
                result.ambiguous.append(cells[row])
            elif not named:
                result.without_file.append(cells[row])
            for file in named:
                earlier = best.get(file)
                if earlier is None:
                    best[file] = (agreeing, row)
                    continue
                if agreeing == earlier[0]:
                    result.doubled.append(file)
                    if read.differ(earlier[1], row):
                        have = result.rows[file] = result.rows[file] or FileRow()
                        have.contradicting = True
                    continue
                # The shorter agreement was with another folder's file of the same name.
                loser = row if agreeing < earlier[0] else earlier[1]
                result.without_file.append(cells[loser])
                if agreeing > earlier[0]:
                    best[file] = (agreeing, row)
        states_label = "label" in part.columns
        for file, (_, row) in best.items():
            have = result.rows[file] = result.rows[file] or FileRow()
            read.into(have, row)
            has_label_row[file] |= states_label or not labelled
    # A row that gives a split or a view alone is no label: the file counts as one without a row.
    result.rows = [
        row if row is not None and (has_label_row[index] or row.contradicting) else None
        for index, row in enumerate(result.rows)
    ]
    return result


def _check_columns(table: Table, part: TableMapping) -> None:
    for role, column in part.columns.items():
        for name in [column] if isinstance(column, str) else column:
            if name not in table:
                raise MappingError(
                    f"The table has no column of the name under csv.columns.{role}: use a heading "
                    "as the list of tables shows it."
                )


class _RowReader:
    def __init__(self, table: Table, part: TableMapping, uncertain: str) -> None:
        self._uncertain = uncertain
        self._label: Sequence[str] | None = None
        self._wide: list[tuple[str, Sequence[str]]] = []
        self._plain: list[tuple[str, Sequence[str]]] = []
        for role, column in part.columns.items():
            if role == "label":
                if isinstance(column, str):
                    self._label = table.values(column)
                else:
                    self._wide = [(name, table.values(name)) for name in column]
            elif role != "file" and isinstance(column, str):
                self._plain.append((role, table.values(column)))
        self._labels: dict[str, tuple[str, ...]] = {}

    def into(self, row: FileRow, index: int) -> None:
        """Add what a row says to what earlier tables said; the earlier ones win."""
        for role, values in self._plain:
            cell = values[index]
            if getattr(row, role) is None and not is_blank(cell):
                setattr(row, role, cell)
        if row.labels or row.uncertain or row.answered:
            return
        row.labels, row.uncertain, row.answered = self.labels(index)

    def labels(self, index: int) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
        """Return the labels of a row, the uncertain ones, and whether it says anything at all."""
        if self._label is not None:
            cell = self._label[index]
            labels = self._labels.get(cell)
            if labels is None:
                labels = self._labels[cell] = cell_labels(cell)
            return labels, (), bool(labels)
        positive: list[str] = []
        unsure: list[str] = []
        answered = False
        for name, values in self._wide:
            cell = values[index]
            if not cell:
                continue
            value = wide_value(cell)
            answered = answered or value is not None
            if value == 1 or (value == -1 and self._uncertain == "positive"):
                positive.append(name)
            elif value == -1 and self._uncertain == "leave_out":
                unsure.append(name)
        return tuple(positive), tuple(unsure), answered

    def differ(self, first: int, second: int) -> bool:
        return self.labels(first)[0] != self.labels(second)[0]

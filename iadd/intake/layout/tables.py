"""Reads the tables that lie beside the pictures: CSV, TSV and the text files of COVIDx."""

from __future__ import annotations

import csv
import io
import itertools
import re
import zlib
from collections.abc import Iterator, Sequence

from iadd.intake.layout.columns import heading_role
from iadd.intake.layout.mapping import TABLE_NAME_COLUMN
from iadd.intake.layout.words import word_set

MOST_ROWS = 500_000
MOST_COLUMNS = 1_000
MOST_CELLS = 20_000_000
"""A place in a list each: 160 MB. The largest public table has a third of it."""
MOST_BYTES = 64 * 1024 * 1024
_LONGEST_CELL = 4_096
_SAMPLE = 200
_HEAD = 1 << 20
_MOST_TITLES = 10
_SIGN_BETWEEN = re.compile(r"[,;\t|][ \t]*[^\s,;\t|]")
"""Between two cells, of which the second is not empty."""
# Lines one by one: a file in memory would take four bytes for each letter.
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".txt")
_NO_TABLES = word_set(
    "readme license licence copying notice md5sums sha256sums sha1sums requirements changelog"
)
_HEADERLESS = ("patient", "file", "label", "source")


class Table:
    """One table, kept by columns.

    Attributes:
        name: its path in the archive.
        columns: its headings, made unique (``label``, ``label (2)``).
        rows: how many rows it has, without the heading.
        has_header: False where the headings were made up.
        ragged: rows with fewer or more cells than headings; missing cells read as empty.
        doubled: headings that occurred more than once.
        cut: whether rows beyond `MOST_ROWS` or `MOST_CELLS` were left out.
        encoding: ``utf-8``, ``utf-16`` or ``cp1252``.
    """

    def __init__(
        self,
        name: str,
        columns: tuple[str, ...],
        values: Sequence[Sequence[str]],
        *,
        has_header: bool = True,
        ragged: int = 0,
        doubled: tuple[str, ...] = (),
        cut: bool = False,
        encoding: str = "utf-8",
    ) -> None:
        self.name = name
        self.columns = columns
        self.rows = len(values[0]) if values else 0
        self.has_header = has_header
        self.ragged = ragged
        self.doubled = doubled
        self.cut = cut
        self.encoding = encoding
        self._values = dict(zip(columns, values, strict=True))

    @property
    def stem(self) -> str:
        """Its name without folders and ending: ``train`` for ``lists/train.csv.gz``."""
        return re.sub(r"\.(csv|tsv|tab|txt)(\.gz)?$", "", self.name.split("/")[-1], flags=re.I)

    def __contains__(self, column: str) -> bool:
        return column == TABLE_NAME_COLUMN or column in self._values

    def values(self, column: str) -> Sequence[str]:
        """Return a column's cells, without spaces around; `TABLE_NAME_COLUMN` repeats the stem.

        Raises:
            KeyError: it has no such column.
        """
        if column == TABLE_NAME_COLUMN:
            return [self.stem] * self.rows
        return self._values[column]

    @classmethod
    def parse(cls, name: str, data: bytes) -> Table | None:
        """Read a table; None for what is none (prose, one column alone, bytes that are no text).

        Args:
            name: its path in the archive; a name that ends in ``.gz`` is unpacked.
            data: the whole file. Beyond 64 MiB of text, rows are left out and `cut` is set.
        """
        base = name.split("/")[-1].casefold()
        cut = False
        if base.endswith(".gz"):
            unpacked = _unpack(data)
            if unpacked is None:
                return None
            data, cut = unpacked
            base = base.removesuffix(".gz")
        if not base.endswith(_TEXT_ENDINGS) or base.split(".")[0] in _NO_TABLES:
            return None
        if len(data) > MOST_BYTES:
            data, cut = data[:MOST_BYTES], True
        decoded = _decode(data)
        if decoded is None:
            return None
        text, encoding = _without_title(decoded[0]), decoded[1]
        delimiter = _delimiter(text, plain_text=base.endswith(".txt"))
        if delimiter is None:
            return None
        return _read(name, text, delimiter, encoding=encoding, cut=cut)


def is_table_name(name: str) -> bool:
    """Return whether a file may be a table, judged by its name: read it and call `Table.parse`."""
    base = name.split("/")[-1].casefold().removesuffix(".gz")
    return base.endswith(_TEXT_ENDINGS) and base.split(".")[0] not in _NO_TABLES


def _unpack(data: bytes) -> tuple[bytes, bool] | None:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(data, MOST_BYTES)
    except zlib.error:
        return None
    return text, not unpacker.eof


def _decode(data: bytes) -> tuple[str, str] | None:
    head = data[:200]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text, encoding = data.decode("utf-16", errors="replace"), "utf-16"
    elif min(head[::2].count(0), head[1::2].count(0)) == 0 and 3 * head.count(0) > len(head):
        order = "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
        text, encoding = data.decode(order, errors="replace"), "utf-16"
    else:
        try:
            text, encoding = data.decode("utf-8-sig"), "utf-8"
        except UnicodeDecodeError as error:
            if error.end >= len(data) and error.reason == "unexpected end of data":
                text, encoding = data.decode("utf-8-sig", errors="ignore"), "utf-8"
            else:
                text, encoding = data.decode("cp1252", errors="replace"), "cp1252"
    return None if "\0" in text[:10_000] else (text, encoding)


def _without_title(text: str) -> str:
    """Leave out the lines in front that are comments or titles, as registries write them."""
    for line in itertools.islice(_LINE.finditer(text), _MOST_TITLES):
        plain_line = line[0].strip()
        if plain_line and not plain_line.startswith("#"):
            # A list apart by spaces has no titles: only what rows with signs follow is one.
            is_row = plain_line.casefold().startswith("sep=") or _SIGN_BETWEEN.search(plain_line)
            if is_row or not _SIGN_BETWEEN.search(text[line.end() : line.end() + 10_000]):
                return text[line.start() :]
    return text


def _delimiter(text: str, *, plain_text: bool) -> str | None:
    """Choose the delimiter that gives the first lines the same number of cells, at least two."""
    head = io.StringIO(text[:_HEAD])
    lines = [line for line in itertools.islice(head, 50) if line.strip()][:20]
    if text and not text.endswith("\n") and len(lines) > 1:
        lines = lines[:-1] if len(lines) == 20 else lines
    best: tuple[float, str] | None = None
    if lines and lines[0].casefold().startswith("sep=") and len(lines[0].strip()) == 5:
        return lines[0].strip()[4]
    for delimiter in (",", ";", "\t", "|", " "):
        counts = [_cells(line, delimiter) for line in lines]
        usual = max(set(counts), key=counts.count, default=1)
        if usual < 2:
            continue
        alike = counts.count(usual) / len(counts)
        named = sum(bool(heading_role(cell)) for cell in _split(lines[0], delimiter))
        # A space is a delimiter of bare lists alone, and needs pictures' names in a column.
        if delimiter == " " and (alike < 0.8 or not _names_pictures(lines, delimiter)):
            continue
        if delimiter == "|" and named < 2:
            continue
        if plain_text and not named and not _names_pictures(lines, delimiter):
            continue
        score = alike + 0.5 * named + (0.1 if delimiter != " " else 0)
        if best is None or score > best[0]:
            best = (score, delimiter)
    return None if best is None else best[1]


def _split(line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return line.split()
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _cells(line: str, delimiter: str) -> int:
    return len(_split(line, delimiter))


_PICTURE = re.compile(r".+\.(?:png|jpe?g|jp2|j2k|jls|tiff?|bmp|webp|dcm|dicom)", re.I)


def _is_picture_name(cell: str) -> bool:
    return _PICTURE.fullmatch(cell.strip()) is not None


def _names_pictures(lines: Sequence[str], delimiter: str) -> bool:
    return any(_is_picture_name(cell) for line in lines[:5] for cell in _split(line, delimiter))


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    if delimiter == " ":
        for line in _LINE.finditer(text):
            if cells := line[0].split():
                yield cells
        return
    csv.field_size_limit(16 * 1024 * 1024)
    reader = csv.reader((line[0] for line in _LINE.finditer(text)), delimiter=delimiter)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue
        if row and any(cell and not cell.isspace() for cell in row):
            yield row


def _read(name: str, text: str, delimiter: str, *, encoding: str, cut: bool) -> Table | None:
    rows = _rows(text, delimiter)
    first = list(itertools.islice(rows, _SAMPLE))
    if first and first[0][0].casefold().startswith("sep="):
        first = first[1:]
    if not first:
        return None
    has_header = _has_header(first)
    width = max(set(map(len, first)), key=list(map(len, first)).count)
    if has_header:
        heading = [cell.strip() for cell in first[0]]
        while heading and not heading[-1]:
            heading.pop()
        columns, doubled = _unique(heading)
        first = first[1:]
    else:
        columns, doubled = _made_up(first, width), ()
    if not 2 <= len(columns) <= MOST_COLUMNS:
        return None
    values: list[list[str]] = [[] for _ in columns]
    # Cells repeat a lot (labels, patients); one string for all saves most of the memory.
    shared: dict[str, str] = {}
    ragged = 0
    most_rows = min(MOST_ROWS, MOST_CELLS // len(columns))
    for count, row in enumerate(itertools.chain(first, rows)):
        if count == most_rows:
            cut = True
            break
        if len(row) != len(columns):
            surplus = row[len(columns) :]
            ragged += len(row) < len(columns) or any(cell.strip() for cell in surplus)
            row = [*row[: len(columns)], *[""] * (len(columns) - len(row))]
        for column, cell in zip(values, row, strict=True):
            plain = cell.strip()[:_LONGEST_CELL]
            column.append(shared.setdefault(plain, plain))
    return Table(
        name,
        columns,
        values,
        has_header=has_header,
        ragged=ragged,
        doubled=doubled,
        cut=cut,
        encoding=encoding,
    )


def _has_header(rows: Sequence[list[str]]) -> bool:
    first = [cell.strip() for cell in rows[0]]
    if any(_is_picture_name(cell) for cell in first):
        return False
    if any(heading_role(cell) for cell in first):
        return True
    return all(cell and not cell.lstrip("-").replace(".", "", 1).isdigit() for cell in first[1:])


def _unique(heading: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give each column a name of its own; return the names that occurred more than once too."""
    columns: list[str] = []
    doubled: dict[str, None] = {}
    for index, cell in enumerate(heading):
        base = name = cell or f"column {index + 1}"
        number = 1
        while name in columns or name == TABLE_NAME_COLUMN:
            number += 1
            name = f"{base} ({number})"
        if number > 1:
            doubled[base] = None
        columns.append(name)
    return tuple(columns), tuple(doubled)


def _made_up(rows: Sequence[list[str]], width: int) -> tuple[str, ...]:
    """Name the columns of a list without headings as COVIDx does: patient, file, label, source."""
    full = [row for row in rows if len(row) == width]
    pictures = [sum(_is_picture_name(row[index]) for row in full) for index in range(width)]
    file = max(range(width), key=lambda index: pictures[index])
    if not pictures[file]:
        return tuple(f"column {index + 1}" for index in range(width))
    names = [f"column {index + 1}" for index in range(width)]
    offset = _HEADERLESS.index("file") - file
    for index in range(width):
        if 0 <= index + offset < len(_HEADERLESS):
            names[index] = _HEADERLESS[index + offset]
    return tuple(names)

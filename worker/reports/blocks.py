"""Content of a report, independent of its format: sections of blocks.

The page and the PDF are two ways to set these; neither adds a word or a number of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from worker.reports.svg import Plot

Tone = Literal["good", "neutral", "bad", "warn", "muted"]


class Block:
    """A part of a section; a template sets it by its kind."""

    @property
    def kind(self) -> str:
        """Name of its class in small letters: ``table``, ``figures``."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Badge:
    """A coloured word. Its colour repeats its meaning."""

    text: str
    tone: Tone


@dataclass(frozen=True)
class Share:
    """A cell shaded by its share of the row, from 0 to 1."""

    text: str
    share: float


Cell = str | Badge | Share


@dataclass(frozen=True)
class Table(Block):
    """Column heads, and rows of finished text; the first cell of a row names it.

    Attributes:
        heads: One for each column.
        rows: Cells, as many as there are heads.
        caption: Title of the table, for readers who meet it alone.
        groups: A heading above the row of this index, until the next.
        ours: Rows about the distilled set.
        words: Columns, from 1, that hold words; the others hold numbers.
        widths: Of the columns, relative to one another; by default the first is the widest.
        style: ``plain``; ``metrics`` and ``risks``, each row of which a narrow page shows as a
            card; or ``confusion``.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    groups: Mapping[int, str] | None = None
    ours: frozenset[int] = frozenset()
    words: frozenset[int] = frozenset()
    widths: Sequence[float] | None = None
    style: Literal["plain", "metrics", "risks", "confusion"] = "plain"


@dataclass(frozen=True)
class Matrices(Block):
    """Confusion matrices side by side."""

    tables: Sequence[Table]


@dataclass(frozen=True)
class Text(Block):
    """A paragraph; a ``note`` is smaller."""

    text: str
    style: Literal["plain", "note"] = "plain"


@dataclass(frozen=True)
class Heading(Block):
    """Title of a part of a section."""

    text: str


@dataclass(frozen=True)
class Figure:
    """A plot, its caption, and its numbers.

    Attributes:
        title: Its title.
        plot: The picture.
        caption: How to read it.
        table: The same in numbers.
    """

    title: str
    plot: Plot
    caption: str
    table: Table


@dataclass(frozen=True)
class Figures(Block):
    """Plots side by side."""

    figures: Sequence[Figure]
    small: bool = False


@dataclass(frozen=True)
class Picture:
    """A distilled image as WebP, its number, and for readers inside its start and nearest image."""

    image: bytes
    start: bytes | None
    number: int
    nearest: bytes | None = None


@dataclass(frozen=True)
class Gallery(Block):
    """The distilled images of one class."""

    name: str
    pictures: Sequence[Picture]
    note: str


@dataclass(frozen=True)
class Facts(Block):
    """Names and values, in groups with a title each."""

    groups: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Code(Block):
    """Lines to copy."""

    text: str


@dataclass(frozen=True)
class Place(Block):
    """Mark at which a portal adds what was unknown when the report was made."""

    name: str


@dataclass(frozen=True)
class Section:
    """A part of the report; its name is that of its anchor."""

    name: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Conclusion:
    """One answer of the first screen.

    Attributes:
        question: The question.
        tone: ``good``, ``neutral``, ``warn`` or ``bad``.
        headline: The answer.
        detail: Its reasons.
    """

    question: str
    tone: Tone
    headline: str
    detail: str


@dataclass(frozen=True)
class Report:
    """A whole report, or another document of a distillation.

    Attributes:
        title: The dataset's name.
        date: The day on which the distillation was requested, ``2026-11-26``; or None.
        facts: The run in one line.
        internal: A warning at the head of a report that may not leave the organisation, or None.
        notice: The notice of every report.
        conclusions: The first screen.
        sections: The rest.
        colophon: Its last words.
        genre: The kind of document, in small letters.
        data: Name of the file with the same figures for programs.
        summary: What the first screen shows below the conclusions.
    """

    title: str
    date: str | None
    facts: str
    internal: str | None
    notice: str
    conclusions: Sequence[Conclusion]
    sections: Sequence[Section]
    colophon: str
    genre: str = "distillation report"
    data: str = "report.json"
    summary: Sequence[Block] = ()

"""The layout of an archive as found: levels, tables, and up to three readings of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Protocol

from iadd.intake.errors import printable
from iadd.intake.layout.class_names import looks_like_patient
from iadd.intake.layout.mapping import Mapping, Role


class NamesGuess(Protocol):
    """How names without a stated encoding were read (`iadd.intake.containers`)."""

    @property
    def encoding(self) -> str:
        """The best guess."""

    @property
    def candidates(self) -> tuple[str, ...]:
        """All encodings that fit."""

    @property
    def sure(self) -> bool:
        """Whether the best guess clearly wins."""

    @property
    def samples(self) -> dict[str, tuple[str, ...]]:
        """By encoding, some names as it reads them."""


@dataclass(frozen=True)
class Level:
    """One level of folders.

    Attributes:
        role: as suggested by the best reading.
        kind: what its names look like: ``names``, ``split``, ``patient``, ``fold``, …
        samples: some of its names; masked where they could name a patient.
        names: how many different names it has.
        files: how many pictures lie in a folder of this level or deeper.
    """

    role: Role
    kind: str
    samples: tuple[str, ...]
    names: int
    files: int


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: its heading.
        role: file, label, patient, split, view or site where it is recognised.
        wide: whether it is one finding of a wide 0/1 table.
        samples: some values of label, split, view and site columns; none of any other.
    """

    name: str
    role: str | None
    wide: bool
    samples: tuple[str, ...]


@dataclass(frozen=True)
class ListedTable:
    """One table of the archive.

    Attributes:
        name: its path.
        rows: how many it has.
        rows_with_file: how many of them name a file of the archive.
        columns: all of them.
        problems: sentences on what is odd about it.
    """

    name: str
    rows: int
    rows_with_file: int
    columns: tuple[Column, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """One way to read the archive.

    Attributes:
        mapping: what to confirm for it.
        classes: by class, the pictures per split; the key ``""`` where no split is given.
        score: 0 to 1; only the order and the distance matter.
        why: a sentence on what it takes for what.
        left_out: by code of `placement.LEFT_OUT`, how many pictures it would not use.
    """

    mapping: Mapping
    classes: dict[str, dict[str, int]]
    score: float
    why: str
    left_out: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """All that is known of an archive's layout before a picture is read.

    Attributes:
        levels: of folders, outermost first.
        tables: those that were read.
        names: how names were read; None where they are Unicode.
        readings: at most three, best first.
        certain: the mapping that needs no question; None where a person must choose.
        questions: sentences, each with what to do; none where `certain` is given.
        notes: sentences on what was found and decided without a question.
        empty_classes: folders beside the classes that hold no picture.
    """

    levels: tuple[Level, ...]
    tables: tuple[ListedTable, ...]
    names: NamesGuess | None
    readings: tuple[Reading, ...]
    certain: Mapping | None
    questions: tuple[str, ...]
    notes: tuple[str, ...] = ()
    empty_classes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of ``GET /datasets/{id}/layout``."""
        return {
            "encoding": None
            if self.names is None
            else {
                "guess": self.names.encoding,
                "sure": self.names.sure,
                "candidates": list(self.names.candidates),
                "samples": {
                    encoding: [shown(name) for name in names]
                    for encoding, names in self.names.samples.items()
                },
            },
            "levels": [
                {
                    "role": level.role.value,
                    "kind": level.kind,
                    "samples": list(level.samples),
                    "names": level.names,
                    "files": level.files,
                }
                for level in self.levels
            ],
            "tables": [
                {
                    "file": table.name,
                    "rows": table.rows,
                    "rows_with_file": table.rows_with_file,
                    "columns": [
                        {
                            "name": column.name,
                            "role": column.role,
                            "wide": column.wide,
                            "samples": list(column.samples),
                        }
                        for column in table.columns
                    ],
                    "problems": list(table.problems),
                }
                for table in self.tables
            ],
            "readings": [
                {
                    "mapping": reading.mapping.to_dict(),
                    "classes": reading.classes,
                    "score": round(reading.score, 3),
                    "why": reading.why,
                    "left_out": reading.left_out,
                }
                for reading in self.readings
            ],
            "certain": None if self.certain is None else self.certain.to_dict(),
            "questions": list(self.questions),
            "notes": list(self.notes),
            "empty_classes": [shown(name) for name in self.empty_classes],
        }


_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d+")


def masked(name: str) -> str:
    """Return the shape of a name alone: ``MUELLER^HANS_1950`` becomes ``A^A_0``."""
    return _LETTERS.sub("A", _DIGITS.sub("0", printable(name)))


def shown(name: str) -> str:
    """Return a name as it may be shown: masked where one of its parts could name a patient."""
    return "/".join(
        masked(part) if looks_like_patient(part) else printable(part) for part in name.split("/")
    )

"""A second case of a kind: what it is a second case of, what it becomes, and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.intake_cases.case import Case


@dataclass(frozen=True)
class Variant:
    """One archive of our own.

    Attributes:
        of: the shared archive whose kind it is of, or a word for bad input.
        case: what it becomes.
        write: writes it to a path and returns the path.
    """

    of: str
    case: Case
    write: Callable[[Path], Path]


WRITTEN: list[Variant] = []
"""Those that `variant` decorates."""


def variant(of: str, case: Case) -> Callable[[Callable[[Path], Path]], Callable[[Path], Path]]:
    """Make a variant of a function that writes an archive."""

    def keep(write: Callable[[Path], Path]) -> Callable[[Path], Path]:
        WRITTEN.append(Variant(of, case, write))
        return write

    return keep

"""The tables of docs/authorisation.md that say who may call and open what."""

from pathlib import Path

import pytest

from app.core.security import Role

TABLES = Path(__file__).parents[2] / "docs" / "authorisation.md"
REFUSED = {"sign in", "no", "hidden", "grant"}
"""Words of those who are kept from an object, and leave it as it was."""
HEADINGS = ["nobody", *(role.value for role in Role), "another organisation"]
OUTSIDERS = ["nobody", "another organisation"]
CALLERS = pytest.mark.parametrize(
    "headings",
    [
        pytest.param(OUTSIDERS, id="outsiders"),
        pytest.param(HEADINGS, id="all", marks=pytest.mark.slow),
    ],
)
"""Whole columns of a table: a thousand requests for all of them, and outsiders in the quick run."""
PAGES = "## Pages"


def read_table(part: str) -> dict[str, list[str]]:
    """The first cell of each row, and all others."""
    rows = {}
    for line in part.splitlines():
        if line.startswith("| `"):
            name, *cells = cells_of(line)
            rows[name.strip("`")] = cells
    return rows


def words_for(headings: list[str], part: str) -> dict[str, dict[str, str]]:
    """The cells under some headings, by the first cell of their row."""
    named = heading_of(part)[1:]
    rows = {name: dict(zip(named, cells, strict=True)) for name, cells in read_table(part).items()}
    return {name: {heading: row[heading] for heading in headings} for name, row in rows.items()}


def heading_of(part: str) -> list[str]:
    return cells_of(next(line for line in part.splitlines() if line.startswith("| ")))


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rest_and_pages() -> tuple[str, str]:
    """The two parts of docs/authorisation.md."""
    rest, _, pages = TABLES.read_text().partition(PAGES)
    return rest, pages

"""Output of commands: lines for people on stdout, or one JSON document for programs.

Text of others (titles, purposes, reasons) never reaches the terminal with control characters in it.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

Item = TypeVar("Item", bound="BaseModel")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def clean(text: str) -> str:
    """Replace control characters, which could move the cursor or colour the line."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )


def echo(text: str = "", *, indent: int = 0) -> None:
    for line in clean(text).splitlines() or [""]:
        typer.echo(" " * indent + line if line else "")


def print_json(document: "BaseModel | Iterable[BaseModel] | dict[str, Any]") -> None:
    """Print one document: an object, or an array of rows. Times are RFC 3339, in UTC."""
    typer.echo(json.dumps(_plain(document), indent=2, ensure_ascii=False))


def print_rows(
    rows: "Sequence[Item]", print_one: "Callable[[Item], None]", *, as_json: bool
) -> None:
    """Print a list, for people or for programs."""
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print_one(row)
    if not rows:
        echo("There are none.")


def aligned(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> Iterator[str]:
    """Lines of a table, indented; `right` names the columns of numbers."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = []
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            # A Chinese character is as wide as two others.
            blank = " " * (width - cell_len(cell))
            cells.append(blank + cell if place in right else cell + blank)
        yield ("  " + "  ".join(cells)).rstrip()


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, str | int | float | bool | None):
        return value
    return [_plain(item) for item in value]


def moment(when: datetime) -> str:
    """Format a time for people, in UTC."""
    return f"{when:%Y-%m-%d %H:%M} UTC"


def words(status: str) -> str:
    """Write a name of the REST API as words."""
    return status.replace("_", " ")

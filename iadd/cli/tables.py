"""Tables in the terminal."""

from collections.abc import Sequence

from rich.table import Table


def to_rich(cells: Sequence[Sequence[str]], *, title: str | None = None) -> Table:
    """Build a table from rows of cells, heading first; all columns but the first align right."""
    table = Table(title=title, title_justify="left")
    for index, heading in enumerate(cells[0]):
        table.add_column(heading, justify="right" if index else "left", overflow="fold")
    for row in cells[1:]:
        table.add_row(*row)
    return table

"""The figures of each plot as a table, for who cannot see it or wants to know a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ROWS = 11
"""Rows of a long table: its ends, and evenly between them. `report.json` holds the rest."""
_BINS_PER_ROW = 5


@dataclass(frozen=True)
class Table:
    """Column heads, and rows of finished text; the first cell of a row names it."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def of_curves(curves: Mapping[str, Sequence[float]], columns: Mapping[str, str]) -> Table:
    """Some curves over the iterations: head by name of the curve."""
    return Table(
        ["Iteration", *columns.values()],
        [
            [f"{curves['iteration'][row]:,.0f}", *(_shown(curves[name][row]) for name in columns)]
            for row in _spaced(len(curves["iteration"]))
        ],
    )


def of_validation(points: Sequence[Mapping[str, float]]) -> Table:
    """Balanced accuracy at each validation."""
    return Table(
        ["Iteration", "Balanced accuracy"],
        [
            [f"{points[row]['iteration']:,.0f}", f"{points[row]['balanced_accuracy']:.3f}"]
            for row in _spaced(len(points))
        ],
    )


def of_histogram(histogram: Mapping[str, Sequence[float]]) -> Table:
    """Parameters by weight, a few bins to a row."""
    edges, counts = histogram["edges"], histogram["counts"]
    rows = []
    for first in range(0, len(counts), _BINS_PER_ROW):
        last = min(first + _BINS_PER_ROW, len(counts))
        number = sum(counts[first:last])
        if number:
            rows.append([f"{edges[first]:.4g} to {edges[last]:.4g}", f"{number:,}"])
    return Table(["Weight", "Parameters"], rows)


def of_layers(layers: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> Table:
    """Every layer: head by key of the column."""
    return Table(
        ["Layer", "Parameters", *(head[0].upper() + head[1:] for head in columns.values())],
        [
            [layer["title"], f"{layer['parameters']:,}", *(_shown(layer[key]) for key in columns)]
            for layer in layers
        ],
    )


def _spaced(length: int) -> list[int]:
    if length <= ROWS:
        return list(range(length))
    return [round(i * (length - 1) / (ROWS - 1)) for i in range(ROWS)]


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"

"""The figures of each plot as a table, for screen readers and for exact values."""

from collections.abc import Mapping, Sequence
from typing import Any

from worker.reports.blocks import Table
from worker.reports.formatting import NOT_MEASURED, rate, shown

ROWS = 11
"""Rows of a long table: its ends, and evenly between them. `report.json` holds the rest."""
_BINS_PER_ROW = 5


def of_curves(curves: Mapping[str, Sequence[float]], columns: Mapping[str, str]) -> Table:
    """Tabulate curves over the iterations; `columns` gives the head by name of the curve."""
    return Table(
        ["Iteration", *columns.values()],
        [
            [f"{curves['iteration'][row]:,.0f}", *(shown(curves[name][row]) for name in columns)]
            for row in _spaced(len(curves["iteration"]))
        ],
    )


def of_validation(points: Sequence[Mapping[str, float]]) -> Table:
    """Tabulate the balanced accuracy at each validation."""
    return Table(
        ["Iteration", "Balanced accuracy"],
        [
            [f"{points[row]['iteration']:,.0f}", rate(points[row]["balanced_accuracy"])]
            for row in _spaced(len(points))
        ],
    )


def of_histogram(histogram: Mapping[str, Sequence[float]]) -> Table:
    """Tabulate parameters by weight, a few bins to a row."""
    edges, counts = histogram["edges"], histogram["counts"]
    rows = []
    for first in range(0, len(counts), _BINS_PER_ROW):
        last = min(first + _BINS_PER_ROW, len(counts))
        number = sum(counts[first:last])
        if number:
            rows.append([f"{edges[first]:.4g} to {edges[last]:.4g}", f"{number:,}"])
    return Table(["Weight", "Parameters"], rows)


def of_layers(layers: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> Table:
    """Tabulate every layer; `columns` gives the head by key of the column."""
    return Table(
        ["Layer", "Parameters", *(head[0].upper() + head[1:] for head in columns.values())],
        [
            [layer["title"], f"{layer['parameters']:,}", *(shown(layer[key]) for key in columns)]
            for layer in layers
        ],
    )


def of_roc(rates: Sequence[float], curves: Mapping[str, Mapping[str, Sequence[float]]]) -> Table:
    """Tabulate true positive rates by training set, means over the networks."""
    return Table(
        ["False positive rate", *curves],
        [
            [f"{rates[row]:.2f}", *(rate(curve["mean"][row]) for curve in curves.values())]
            for row in _spaced(len(rates))
        ],
    )


def of_utility(rows: Mapping[str, tuple[float, Sequence[float] | None]]) -> Table:
    """Tabulate a figure with its interval, by training set."""
    return Table(
        ["Trained on", "Mean", "Lower end", "Upper end"],
        [
            [name, rate(mean), *(map(rate, bounds) if bounds else (NOT_MEASURED, NOT_MEASURED))]
            for name, (mean, bounds) in rows.items()
        ],
    )


def _spaced(length: int) -> list[int]:
    if length <= ROWS:
        return list(range(length))
    return [round(i * (length - 1) / (ROWS - 1)) for i in range(ROWS)]

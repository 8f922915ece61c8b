"""The report's plots, as SVG that takes its colours from where it is shown: page or paper.

Series differ in colour (Okabe and Ito's, which colour-blind readers tell apart) and in their
line style, so that a grey print is legible too.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from worker.reports.svg import FIRST, INK, LINE, MUTED, SECOND, THIRD, Plot, svg_of

_SIZE = (5.2, 3.0)  # inches of 72 points: near the size at which the page shows it
_SMALL = (3.6, 3.4)
_WIDE = 20
"""Ratio of a curve's ends from which a linear axis would flatten the lower of them."""
_HATCHED = (0, (2, 3))
_DASHED = (0, (5, 2))
_SERIES: Mapping[str, tuple[str, Any, str]] = {
    "distilled": (FIRST, "-", "o"),
    "random": (SECOND, _DASHED, "s"),
    "full": (THIRD, (0, (1.2, 1.2)), "^"),
    "start": (MUTED, (0, (6, 1, 1, 1)), "D"),
}
"""Colour, line and marker of each training set."""
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
    "text.color": INK,
}


def loss(curves: Mapping[str, Sequence[float]], *, weighted: bool) -> Plot:
    """Plot the matching loss over the iterations; with W and without, where W is not at ones."""

    def draw(axes: Axes) -> None:
        if weighted:
            _curve(axes, curves, "unweighted_loss", SECOND, "without W", line=_DASHED)
        _curve(axes, curves, "loss", FIRST, "with W")
        axes.axhline(1.0, color=MUTED, linewidth=0.8, linestyle=_HATCHED)
        both = [v for name in ("loss", "unweighted_loss") for v in curves[name] if v is not None]
        if both and 0 < _WIDE * min(both) < max(both):
            axes.set_yscale("log")
        axes.set_ylabel("matching loss")
        if weighted:
            _legend_above(axes)

    return _plot("loss", draw)


def learning_rate(curves: Mapping[str, Sequence[float]]) -> Plot:
    """Plot α over the iterations."""

    def draw(axes: Axes) -> None:
        _curve(axes, curves, "syn_lr", FIRST, "α")
        axes.set_ylabel("α")

    return _plot("alpha", draw)


def validation(points: Sequence[Mapping[str, float]], best: int) -> Plot:
    """Plot the balanced accuracy on the validation split, and the iteration that was kept."""

    def draw(axes: Axes) -> None:
        iterations = [point["iteration"] for point in points]
        scores = _values([point["balanced_accuracy"] for point in points])
        axes.plot(iterations, scores, color=THIRD, marker="o", markersize=3.5)
        axes.axvline(best, color=MUTED, linewidth=0.8, linestyle=_HATCHED)
        axes.annotate(
            "kept",
            (best, 0.0),  # the line is highest where it was kept, and the words would lie on it
            xycoords=("data", "axes fraction"),
            xytext=(4 if best <= max(iterations) / 2 else -4, 4),
            textcoords="offset points",
            ha="left" if best <= max(iterations) / 2 else "right",
            color=MUTED,
        )
        axes.set_ylabel("balanced accuracy")

    return _plot("validation", draw)


def course_of_weights(curves: Mapping[str, Sequence[float]], name: str) -> Plot:
    """Plot the mean of W over the iterations, one standard deviation around it, and the minimum."""

    def draw(axes: Axes) -> None:
        rows = zip(*(_values(curves[n]) for n in ("weights_mean", "weights_std")), strict=True)
        bounds = [(max(0.0, mean - std), min(1.0, mean + std)) for mean, std in rows]
        lower, upper = zip(*bounds, strict=True)
        axes.fill_between(curves["iteration"], lower, upper, color=FIRST, alpha=0.2, linewidth=0)
        _curve(axes, curves, "weights_mean", FIRST, "mean")
        _curve(axes, curves, "weights_min", SECOND, "smallest", line=_DASHED)
        low = min((v for v in curves["weights_min"] if v is not None), default=1.0)
        # Rounding must not look like a change: at least a hundredth is shown.
        axes.set_ylim(min(low, 0.99) - 0.04 * (1 - min(low, 0.99)), 1 + 0.06 * (1 - min(low, 0.99)))
        axes.set_ylabel(name)
        # Above: the curves may run anywhere below.
        _legend_above(axes)

    return _plot("course", draw)


def weights(histogram: Mapping[str, Any], name: str) -> Plot:
    """Plot the number of parameters by weight."""

    def draw(axes: Axes) -> None:
        edges, counts = histogram["edges"], histogram["counts"]
        axes.stairs(counts, edges, fill=True, color=FIRST)
        # Most weights stay near 1: on a linear scale the others could not be seen.
        axes.set_yscale("log")
        axes.set_ylabel("parameters")
        axes.set_xlabel(name)

    return _plot("weights", draw, xlabel=None)


def layers(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> Plot:
    """Plot means over each layer, side by side; `columns` gives the label by key of the rows."""
    places = range(len(rows))
    with _drawing("layers"):
        figure = Figure(figsize=(_SIZE[0], 0.9 + 0.19 * len(rows)), layout="constrained")
        FigureCanvasSVG(figure)
        panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
        for axes, (key, label) in zip(panels, columns.items(), strict=True):
            values = [row[key] for row in rows]
            if key == "difference":
                axes.barh(places, values, height=0.62, color=SECOND)
            else:
                # Points, since bars would have to begin at 0, and W is mostly near 1.
                axes.plot(values, places, "o", color=FIRST, markersize=4.5, clip_on=False)
            axes.set_xlabel(label)
            axes.grid(visible=True, axis="x")
            axes.grid(visible=key != "difference", axis="y")
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.margins(y=0.6 / len(rows))
        axes.set_yticks(places, [row["title"] for row in rows], fontsize=9)
        axes.invert_yaxis()
        return svg_of(figure, "layers")


def utility(
    name: str, rows: Mapping[str, tuple[str, float, Sequence[float] | None]], chance: float
) -> Plot:
    """Plot a figure by training set; `rows` gives the title, the mean and its interval."""
    with _drawing(name):
        figure, axes = _figure((_SIZE[0], 0.9 + 0.36 * len(rows)))
        for place, (key, (_, mean, bounds)) in enumerate(rows.items()):
            colour, _, marker = _SERIES[key]
            if bounds is not None:
                axes.plot(bounds, [place, place], color=colour, linewidth=2)
                axes.plot(bounds, [place, place], "|", color=colour, markersize=9)
            axes.plot([mean], [place], marker, color=colour, markersize=8)
            axes.annotate(
                f"{mean:.3f}",
                (mean, place),
                xytext=(0, 8),
                textcoords="offset points",
                ha="center",
            )
        axes.axvline(chance, color=MUTED, linewidth=0.8, linestyle=_HATCHED)
        axes.annotate(
            "guessing",
            (chance, 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(4, 3),
            textcoords="offset points",
            color=MUTED,
            fontsize=9,
        )
        axes.set_yticks(range(len(rows)), [title for title, _, _ in rows.values()])
        axes.set_ylim(len(rows) - 0.45, -0.75)
        axes.set_xlim(0, 1.02)
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x")
        axes.spines["left"].set_visible(False)
        return svg_of(figure, name)


def roc(name: str, rates: Sequence[float], curves: Mapping[str, Sequence[float]]) -> Plot:
    """Plot the ROC curves of one class against the rest, by training set."""
    titles = {
        "distilled": "distilled",
        "start": "start",
        "random": "random real",
        "full": "all real",
    }
    with _drawing(name):
        figure, axes = _figure(_SMALL)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=_HATCHED)
        for place, (key, values) in enumerate(curves.items()):
            colour, line, marker = _SERIES[key]
            axes.plot(
                rates,
                values,
                color=colour,
                linestyle=line,
                marker=marker,
                markersize=4,
                # At different places, so that none hides another.
                markevery=(3 * place, 10),
                label=titles[key],
                clip_on=False,
            )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_aspect("equal")
        axes.grid(visible=True, axis="x")
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")
        axes.legend(loc="lower right", handlelength=3)
        return svg_of(figure, name)


def _legend_above(axes: Axes) -> None:
    """Place the legend above the axes, where it hides no line."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)


def _curve(
    axes: Axes,
    curves: Mapping[str, Sequence[float | None]],
    name: str,
    colour: str,
    label: str,
    *,
    line: Any = "-",
) -> None:
    iterations, values = _values(curves["iteration"]), _values(curves[name])
    # One point makes no line.
    marker = "o" if sum(map(math.isfinite, values)) == 1 else None
    axes.plot(iterations, values, color=colour, label=label, linestyle=line, marker=marker)


def _values(values: Sequence[float | None]) -> list[float]:
    """Replace missing numbers by NaN: the curve then has a gap."""
    return [math.nan if value is None else value for value in values]


def _plot(name: str, draw: Callable[[Axes], None], *, xlabel: str | None = "iteration") -> Plot:
    with _drawing(name):
        figure, axes = _figure(_SIZE)
        draw(axes)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=xlabel is not None))
        if axes.get_yscale() == "linear":
            axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.margins(x=0.02)
        if xlabel:
            axes.set_xlabel(xlabel)
        return svg_of(figure, name)


def _figure(size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.subplots()


def _drawing(name: str) -> AbstractContextManager[None]:
    return mpl.rc_context({**_STYLE, "svg.hashsalt": name})

"""The report's plots, as SVG that takes its colours from the page: legible by day and by night."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_SIZE = (5.2, 3.0)  # inches of 72 points: near the size at which the page shows it
# Colours that stand for the page's own, and are replaced in the finished SVG.
_INK, _MUTED, _LINE = "#010101", "#020202", "#030303"
_FIRST, _SECOND, _THIRD = "#040404", "#050505", "#060606"
_VARIABLES = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _LINE: "var(--line)",
    _FIRST: "var(--series-1)",
    _SECOND: "var(--series-2)",
    _THIRD: "var(--series-3)",
}
_WIDE = 20
"""Ratio of a curve's ends from which a linear axis would flatten the lower of them."""
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "legend.labelcolor": _INK,
    "lines.linewidth": 1.6,
    "text.color": _INK,
}


def loss(curves: Mapping[str, Sequence[float]], *, weighted: bool) -> Markup:
    """The matching loss over the iterations; with W and without, where W is not at ones."""

    def draw(axes: Axes) -> None:
        if weighted:
            _curve(axes, curves, "unweighted_loss", _SECOND, "without W")
        _curve(axes, curves, "loss", _FIRST, "with W")
        axes.axhline(1.0, color=_MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
        both = [*curves["loss"], *curves["unweighted_loss"]]
        if 0 < _WIDE * min(both) < max(both):
            axes.set_yscale("log")
        axes.set_ylabel("matching loss")
        if weighted:
            _legend_above(axes)

    return _plot("loss", draw)


def learning_rate(curves: Mapping[str, Sequence[float]]) -> Markup:
    """α over the iterations."""

    def draw(axes: Axes) -> None:
        _curve(axes, curves, "syn_lr", _FIRST, "α")
        axes.set_ylabel("α")

    return _plot("alpha", draw)


def validation(points: Sequence[Mapping[str, float]], best: int) -> Markup:
    """Balanced accuracy on the validation split, and the iteration that was kept."""

    def draw(axes: Axes) -> None:
        iterations = [point["iteration"] for point in points]
        scores = [point["balanced_accuracy"] for point in points]
        axes.plot(iterations, scores, color=_THIRD, marker="o", markersize=3.5)
        axes.axvline(best, color=_MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
        axes.annotate(
            "kept",
            (best, 0.0),  # the line is highest where it was kept, and the words would lie on it
            xycoords=("data", "axes fraction"),
            xytext=(4 if best <= max(iterations) / 2 else -4, 4),
            textcoords="offset points",
            ha="left" if best <= max(iterations) / 2 else "right",
            color=_MUTED,
        )
        axes.set_ylabel("balanced accuracy")

    return _plot("validation", draw)


def course_of_weights(curves: Mapping[str, Sequence[float]], name: str) -> Markup:
    """The mean of W over the iterations, one standard deviation around it, and the smallest."""

    def draw(axes: Axes) -> None:
        rows = zip(curves["weights_mean"], curves["weights_std"], strict=True)
        bounds = [(max(0.0, mean - std), min(1.0, mean + std)) for mean, std in rows]
        lower, upper = zip(*bounds, strict=True)
        axes.fill_between(curves["iteration"], lower, upper, color=_FIRST, alpha=0.2, linewidth=0)
        _curve(axes, curves, "weights_mean", _FIRST, "mean")
        _curve(axes, curves, "weights_min", _SECOND, "smallest")
        low = min(curves["weights_min"])
        # Rounding must not look like a change: at least a hundredth is shown.
        axes.set_ylim(min(low, 0.99) - 0.04 * (1 - min(low, 0.99)), 1 + 0.06 * (1 - min(low, 0.99)))
        axes.set_ylabel(name)
        # Above: the curves may run anywhere below.
        _legend_above(axes)

    return _plot("course", draw)


def weights(histogram: Mapping[str, Any], name: str) -> Markup:
    """How many parameters have which weight."""

    def draw(axes: Axes) -> None:
        edges, counts = histogram["edges"], histogram["counts"]
        axes.stairs(counts, edges, fill=True, color=_FIRST)
        # Most weights stay near 1: on a linear scale the others could not be seen.
        axes.set_yscale("log")
        axes.set_ylabel("parameters")
        axes.set_xlabel(name)

    return _plot("weights", draw, xlabel=None)


def layers(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> Markup:
    """Means over each layer, side by side: what to call each column of the rows."""
    places = range(len(rows))
    with _drawing("layers"):
        figure = Figure(figsize=(_SIZE[0], 0.9 + 0.19 * len(rows)), layout="constrained")
        FigureCanvasSVG(figure)
        panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
        for axes, (key, label) in zip(panels, columns.items(), strict=True):
            values = [row[key] for row in rows]
            if key == "difference":
                axes.barh(places, values, height=0.62, color=_SECOND)
            else:
                # Points, since bars would have to begin at 0, and W is mostly near 1.
                axes.plot(values, places, "o", color=_FIRST, markersize=4.5, clip_on=False)
            axes.set_xlabel(label)
            axes.grid(visible=True, axis="x")
            axes.grid(visible=key != "difference", axis="y")
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.margins(y=0.6 / len(rows))
        axes.set_yticks(places, [row["title"] for row in rows], fontsize=9)
        axes.invert_yaxis()
        return _finished(figure, "layers")


def _legend_above(axes: Axes) -> None:
    """Above the axes it hides no line, wherever the lines go."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)


def _curve(
    axes: Axes, curves: Mapping[str, Sequence[float]], name: str, colour: str, label: str
) -> None:
    axes.plot(curves["iteration"], curves[name], color=colour, label=label)


def _plot(name: str, draw: Callable[[Axes], None], *, xlabel: str | None = "iteration") -> Markup:
    with _drawing(name):
        figure = Figure(figsize=_SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        draw(axes)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=xlabel is not None))
        if axes.get_yscale() == "linear":
            axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.margins(x=0.02)
        if xlabel:
            axes.set_xlabel(xlabel)
        return _finished(figure, name)


def _drawing(name: str) -> AbstractContextManager[None]:
    return mpl.rc_context({**_STYLE, "svg.hashsalt": name})


def _finished(figure: Figure, name: str) -> Markup:
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return _inline(file.getvalue(), name)


def _inline(svg: str, name: str) -> Markup:
    """Cut a file down to an element of the page, with the page's colours and ids of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Its style sheet would apply to the whole page.
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r'<svg [^>]*viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg, count=1
    )
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'(href="#|url\(#)([^")]+)', rf"\1{name}-\2", svg)
    svg = svg.replace("xlink:href", "href")
    for placeholder, variable in _VARIABLES.items():
        svg = svg.replace(placeholder, variable)
    return Markup(svg)  # noqa: S704 - drawn here from numbers; no name of anybody's is in it

"""Draws finished studies together: accuracy against images per class, and against minutes.

A row has one number of images per class, so that a curve needs several studies. Bars are 95%
intervals of the mean: over seeds (Student's t) where a row has several, else over the networks of
its one run.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from iadd.privacy.statistics import mean_over_runs, t_quantile
from iadd.reproduce.plots import STYLE, save_figure
from iadd.reproduce.run_record import StudyError

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vP*X"
_WHOLE = "full"
"""The row that trains on everything: a line to reach, at no number of images per class."""


@dataclass(frozen=True)
class Point:
    """One row of one study.

    Attributes:
        row: Name of the row.
        images_per_class: Of its runs, which may differ from the study's.
        image_size: Of its study, in pixels.
        accuracy: Balanced accuracy on the test images, mean.
        interval: 95% interval of that mean, or None with a single network.
        minutes: Of one run: teachers that rows share are counted where they were trained.
    """

    row: str
    images_per_class: int
    image_size: int
    accuracy: float
    interval: tuple[float, float] | None
    minutes: float


def read_points(folders: Sequence[Path]) -> list[Point]:
    """Read the rows of finished studies.

    Args:
        folders: Folders with a ``results.json``.

    Raises:
        StudyError: When one holds none.
    """
    return [point for folder in folders for point in _points_of(folder)]


def _points_of(folder: Path) -> list[Point]:
    path = folder / "results.json"
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise StudyError(
            f"{path} cannot be read: name folders of studies that are finished. Nothing was drawn."
        ) from error
    config = document["config"]
    found = []
    for line in document["rows"]:
        runs = [run for run in document["runs"] if run["row"] == line["row"]]
        figures = [run["networks"][line["network"]]["balanced_accuracy"] for run in runs]
        found.append(
            Point(
                row=line["row"],
                images_per_class=runs[0]["config"]["distillation"]["images_per_class"],
                image_size=config["image_size"],
                accuracy=mean(figure["mean"] for figure in figures),
                interval=_interval(figures),
                minutes=line["seconds"] / 60 / len(runs),
            )
        )
    return found


def _interval(figures: Sequence[dict[str, Any]]) -> tuple[float, float] | None:
    if len(figures) > 1:
        return mean_over_runs([figure["mean"] for figure in figures])
    (figure,) = figures
    if figure["n"] < 2:
        return None
    reach = t_quantile(0.975, figure["n"] - 1) * figure["std"] / math.sqrt(figure["n"])
    return figure["mean"] - reach, figure["mean"] + reach


def draw_figures(points: Sequence[Point], folder: Path) -> list[Path]:
    """Draw both figures, each as SVG and as PNG.

    Args:
        points: Of all studies.
        folder: Folder for the pictures.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        pictures = {
            "accuracy-by-images": per_class_figure(points),
            "accuracy-by-minutes": minutes_figure(points),
        }
        return [
            path for name, figure in pictures.items() for path in save_figure(figure, folder, name)
        ]


def per_class_figure(points: Sequence[Point]) -> Figure:
    """Plot balanced accuracy against images per class, a curve for each row."""
    figure, axes = _axes("distilled or chosen images per class")
    for place, name in enumerate(_rows(points)):
        own = sorted(
            (point for point in points if point.row == name), key=lambda one: one.images_per_class
        )
        _draw(axes, place, name, own, [point.images_per_class for point in own], line=True)
    axes.set_xticks(sorted({point.images_per_class for point in points}))
    return _finished(figure, axes, points)


def minutes_figure(points: Sequence[Point]) -> Figure:
    """Plot balanced accuracy against the minutes of one run, teachers that are shared left out."""
    figure, axes = _axes("minutes of one run, evaluation included; shared teachers left out")
    for place, name in enumerate(_rows(points)):
        own = [point for point in points if point.row == name]
        _draw(axes, place, name, own, [point.minutes for point in own], line=False)
    return _finished(figure, axes, points)


def _rows(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(point.row for point in points if point.row != _WHOLE))


def _axes(label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label)
    axes.set_ylabel("balanced accuracy, test")
    return figure, axes


def _draw(
    axes: Axes, place: int, name: str, points: Sequence[Point], x: Sequence[float], *, line: bool
) -> None:
    colour = _COLOURS[place % len(_COLOURS)]
    ends = [point.interval or (point.accuracy, point.accuracy) for point in points]
    axes.errorbar(
        x,
        [point.accuracy for point in points],
        yerr=[
            [point.accuracy - low for point, (low, _) in zip(points, ends, strict=True)],
            [high - point.accuracy for point, (_, high) in zip(points, ends, strict=True)],
        ],
        fmt=_MARKERS[place % len(_MARKERS)] + ("-" if line else ""),
        color=colour,
        markersize=5,
        linewidth=1.2,
        elinewidth=0.8,
        capsize=2,
        label=name,
    )


def _finished(figure: Figure, axes: Axes, points: Sequence[Point]) -> Figure:
    for size in sorted({point.image_size for point in points if point.row == _WHOLE}):
        reached = mean(p.accuracy for p in points if (p.row, p.image_size) == (_WHOLE, size))
        axes.axhline(reached, color="0.4", linewidth=0.9, linestyle=":")
        axes.annotate(
            f"all images, {size}×{size}",
            (0.0, reached),
            xycoords=("axes fraction", "data"),
            xytext=(3, 3),
            textcoords="offset points",
            fontsize=7,
            color="0.3",
        )
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return figure

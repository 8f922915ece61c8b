"""Plots and measures W of every run (paper, section 4.3).

Legend: P parameters; the difference is |θ_J − θ*|, its mean over the iterations; a dimension is an
index into θ. Two quantities differ in colour and in line, so that the plots work in grey.
"""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from iadd.data.distilled_dataset import DistilledDataset
from iadd.networks.build import build_architecture, layers_of

FIRST, SECOND = "#0072B2", "#D55E00"
"""Blue and vermilion of Okabe and Ito: distinct for every kind of colour vision, and in grey."""

_COLUMNS = 1500
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.useoffset": False,
    "svg.hashsalt": "iadd",  # equal runs draw equal files
}

Layers = list[tuple[str, slice]]
Values = npt.NDArray[np.float64]


def draw_run(distilled: DistilledDataset, folder: Path) -> list[Path]:
    """Draw every plot that a run has the numbers for, each as SVG and as PNG.

    Args:
        distilled: A set straight from a distillation; a bundle holds no W.
        folder: Folder for the pictures.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    with matplotlib.rc_context(STYLE):
        for name, figure in _figures(distilled).items():
            files += save_figure(figure, folder, name)
    return files


def save_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Save a figure as SVG and as PNG, and return the files."""
    files = []
    for suffix in (".svg", ".png"):
        path = folder / f"{name}{suffix}"
        # With a date, equal runs would draw different files.
        metadata: dict[str, Any] = {"Date": None} if suffix == ".svg" else {}
        figure.savefig(path, dpi=150, metadata=metadata)
        files.append(path)
    return files


def _figures(distilled: DistilledDataset) -> dict[str, Figure]:
    figures = {"history": history_figure(distilled)}
    weights, difference = distilled.importance_weights, distilled.difference
    if weights is not None and difference is not None:
        layers = _layers(distilled)
        figures["by-dimension"] = dimension_figure(difference, weights, layers)
        figures["by-layer"] = layer_figure(difference, weights, layers)
        figures["weight-against-difference"] = relation_figure(difference, weights)
    return figures


def measure_run(distilled: DistilledDataset) -> dict[str, Any]:
    """Compute the numbers of a run for the tables.

    Returns:
        ``best_iteration``, ``syn_lr``; where the run learned: ``unweighted_loss`` and ``loss``
        (means over the first and over the last tenth of the iterations), ``weights`` (mean, std,
        min, max of W), and ``rank_correlation`` of difference and W (Spearman's; None where W is
        the same everywhere).
    """
    facts: dict[str, Any] = {
        "images": len(distilled),
        "best_iteration": distilled.best_iteration,
        "syn_lr": distilled.syn_lr,
    }
    curves = distilled.history.curves
    for name in ("unweighted_loss", "loss"):
        values = curves[name]
        if values:
            tenth = max(1, len(values) // 10)
            facts[name] = [float(np.mean(values[:tenth])), float(np.mean(values[-tenth:]))]
    weights, difference = distilled.importance_weights, distilled.difference
    if weights is not None:
        facts["weights"] = {
            "mean": weights.mean().item(),
            "std": weights.std().item(),
            "min": weights.min().item(),
            "max": weights.max().item(),
        }
        if difference is not None:
            facts["rank_correlation"] = rank_correlation(difference, weights)
    return facts


def rank_correlation(first: Tensor, second: Tensor) -> float | None:
    """Compute Spearman's rank correlation, ties at their mean rank; None for a constant vector."""
    ranks = torch.stack([_ranks(first), _ranks(second)])
    if bool((ranks.std(dim=1) == 0).any()):
        return None
    return torch.corrcoef(ranks)[0, 1].item()


def _ranks(values: Tensor) -> Tensor:
    _, group, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks: Tensor = (last - (counts.double() - 1) / 2)[group]
    return ranks


def dimension_figure(difference: Tensor, weights: Tensor, layers: Layers) -> Figure:
    """Plot difference and W by dimension, layers marked (the paper's Figures 6 and 7).

    A column of the picture stands for several hundred dimensions: the line is their mean, the band
    reaches from the smallest to the largest.
    """
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    _draw_columns(above, _to_numpy(difference), FIRST)
    above.set_ylabel("|θ$_J$ − θ*|, mean over iterations")
    _draw_columns(below, _to_numpy(weights), SECOND)
    below.set_ylabel("weight W")
    below.set_xlabel("dimension of θ (band: smallest to largest; line: mean)")
    for axes in (above, below):
        for _, part in layers[1:]:
            axes.axvline(part.start, color="0.75", linewidth=0.5, zorder=0)
        axes.set_xlim(0, len(weights))
    _name_wide_layers(above, layers, len(weights))
    return figure


def _draw_columns(axes: Axes, values: Values, colour: str) -> None:
    edges = np.linspace(0, len(values), min(_COLUMNS, len(values)) + 1).astype(int)
    starts = edges[:-1]
    lowest = np.minimum.reduceat(values, starts)
    highest = np.maximum.reduceat(values, starts)
    means = np.add.reduceat(values, starts) / np.diff(edges)
    centres = (edges[:-1] + edges[1:]) / 2
    axes.fill_between(centres, lowest, highest, color=colour, alpha=0.3, linewidth=0)
    axes.plot(centres, means, color=colour, linewidth=0.8)
    axes.set_ylim(bottom=0)


def _name_wide_layers(axes: Axes, layers: Layers, total: int) -> None:
    """Write the names of layers above the picture, where there is space for them."""
    for name, part in layers:
        if part.stop - part.start >= 0.06 * total:
            axes.annotate(
                name.removesuffix(".weight"),
                ((part.start + part.stop) / 2, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=7,
            )


def layer_figure(difference: Tensor, weights: Tensor, layers: Layers) -> Figure:
    """Plot mean difference and mean W of every layer, with the middle 90% of W."""
    figure = Figure(figsize=(9, 1.4 + 0.22 * len(layers)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    positions = np.arange(len(layers))
    parts = [part for _, part in layers]
    left.barh(
        positions, [difference[part].mean().item() for part in parts], color=FIRST, height=0.7
    )
    left.set_xlabel("mean of |θ$_J$ − θ*|")
    left.set_yticks(positions, [name for name, _ in layers])
    left.invert_yaxis()
    left.xaxis.set_major_locator(MaxNLocator(5))
    middle = np.array([weights[part].mean().item() for part in parts])
    ends = np.array([np.quantile(_to_numpy(weights[part]), (0.05, 0.95)) for part in parts])
    right.hlines(positions, ends[:, 0], ends[:, 1], color=SECOND, linewidth=1.5)
    right.plot(middle, positions, "o", color=SECOND, markersize=4)
    right.set_xlabel("W (dot: mean; line: middle 90%)")
    right.grid(axis="y", color="0.9", linewidth=0.5)
    right.set_axisbelow(True)
    return figure


def relation_figure(difference: Tensor, weights: Tensor) -> Figure:
    """Plot W against difference, which shows whether large differences get small weights."""
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.subplots()
    x, y = _to_numpy(difference), _to_numpy(weights)
    if np.ptp(y) > 0:
        # Counts start above the palest grey, so that a single parameter is visible too.
        cells = axes.hexbin(
            x, y, gridsize=60, bins="log", mincnt=1, vmin=0.3, cmap="Greys", rasterized=True
        )
        figure.colorbar(cells, ax=axes, label="parameters per cell")
    else:
        axes.set_ylim(0, 1.1 * max(float(y[0]), 1e-6))
    order = np.argsort(x, kind="stable")
    groups = np.array_split(order, min(40, len(order)))
    axes.plot(
        [x[group].mean() for group in groups],
        [np.median(y[group]) for group in groups],
        color=SECOND,
        linewidth=1.8,
        label="median of W, fortieths of the parameters",
    )
    found = rank_correlation(difference, weights)
    title = "W is the same everywhere" if found is None else f"rank correlation {found:+.2f}"
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("|θ$_J$ − θ*|, mean over iterations")
    axes.set_ylabel("weight W")
    figure.legend(loc="outside lower right", frameon=False, fontsize=8)
    return figure


def history_figure(distilled: DistilledDataset) -> Figure:
    """Plot loss, α, W and the validation figure over the iterations."""
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    (loss, rate), (weight, choice) = figure.subplots(2, 2, sharex=True)
    curves = distilled.history.curves
    x = curves["iteration"]
    _draw_curve(loss, x, curves["loss"], FIRST, "with W")
    _draw_curve(loss, x, curves["unweighted_loss"], SECOND, "without W", dashed=True)
    loss.axhline(1, color="0.6", linewidth=0.8, linestyle=":")
    loss.set_ylabel("matching loss")
    rate.plot(x, curves["syn_lr"], color=FIRST)
    rate.set_ylabel("learning rate α")
    weight.plot(x, curves["weights_mean"], color=FIRST, label="mean")
    weight.plot(x, curves["weights_min"], color=SECOND, linestyle="--", label="smallest")
    weight.set_ylabel("weight W")
    weight.set_ylim(bottom=0)
    validation = distilled.history.validation
    choice.plot(
        [entry["iteration"] for entry in validation],
        [entry["balanced_accuracy"] for entry in validation],
        "o-",
        color=FIRST,
        markersize=3,
    )
    choice.axvline(distilled.best_iteration, color=SECOND, linestyle="--", label="iteration kept")
    choice.set_ylabel("balanced accuracy, validation")
    for axes in (weight, choice):
        axes.set_xlabel("iteration")
    for axes in (loss, weight, choice):
        axes.legend(frameon=False, fontsize=8)
    return figure


def _draw_curve(
    axes: Axes, x: list[float], y: list[float], colour: str, label: str, *, dashed: bool = False
) -> None:
    """Draw a noisy curve faintly, and strongly its mean over a fiftieth of the run."""
    axes.plot(x, y, color=colour, alpha=0.25, linewidth=0.6)
    width = max(1, len(y) // 50)
    means = [float(np.mean(y[end - width : end])) for end in range(width, len(y) + 1)]
    axes.plot(x[width - 1 :], means, color=colour, label=label, linestyle="--" if dashed else "-")


def _layers(distilled: DistilledDataset) -> Layers:
    network = build_architecture(
        distilled.config, channels=distilled.images.shape[1], classes=len(distilled.classes)
    )
    return layers_of(network)


def _to_numpy(values: Tensor) -> Values:
    array: Values = values.detach().cpu().double().numpy()
    return array

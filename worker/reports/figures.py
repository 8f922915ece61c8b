"""Figures about the course of a distillation: each a plot, a caption, and its numbers."""

from collections.abc import Iterator, Mapping
from typing import Any

from iadd.config import CONDENSING, Config
from worker.reports import plots, tables, weights_text
from worker.reports.blocks import Figure


def figures_of(document: Mapping[str, Any]) -> Iterator[Figure]:
    """Yield the figures of a run; none of a set that was not distilled by iterations."""
    curves = document["curves"]
    if not curves["iteration"]:
        return
    weights = document["importance_weights"]
    weighted = weights is not None and weights["method"] != "mtt"
    losses = {"loss": "With W", "unweighted_loss": "Without W"} if weighted else {"loss": "Loss"}
    settings = document["settings"]["distillation"]
    condensed = settings["method"] in CONDENSING
    # Runs of version 0.3 and before have fewer settings.
    warm = Config.from_dict(document["settings"]).distillation.condensing_iterations
    caption = (
        "How differently networks see distilled and real images."
        if condensed
        else "How far the student ends from the teacher, relative to how far the teacher moved. "
        "Above 1 the student ends farther away than it began."
    )
    if warm and not condensed:
        caption += (
            f" The first {warm} iterations compare distilled with real images (method dm), by "
            "another measure."
        )
    yield Figure(
        "Matching loss",
        plots.loss(curves, weighted=weighted),
        caption,
        tables.of_curves(curves, losses),
    )
    if curves["validation"]:
        yield Figure(
            "Validation",
            plots.validation(curves["validation"], document["best_iteration"]),
            "The iteration that was kept is the best on the validation images, which no gradient "
            "has seen and which are not the test images.",
            tables.of_validation(curves["validation"]),
        )
    if condensed:
        return
    yield Figure(
        "Learning rate α",
        plots.learning_rate(curves),
        "The learning rate to train with, learned together with the images.",
        tables.of_curves(curves, {"syn_lr": "α"}),
    )
    if weights is not None:
        yield from _figures_of_weights(document)


def _figures_of_weights(document: Mapping[str, Any]) -> Iterator[Figure]:
    curves, weights = document["curves"], document["importance_weights"]
    titles = {
        "ddpp": ("share of iterations", "How often parameters count", "Spread at the end"),
        "hop_tm": ("share of parameters", "How many parameters count", "Spread at the end"),
    }
    name, course, spread = titles.get(
        weights["method"], ("W", "Importance weights W", "Spread of W at the end")
    )
    columns = {"weights_mean": "Mean", "weights_std": "Deviation", "weights_min": "Smallest"}
    if weights["method"] != "mtt":
        yield Figure(
            course,
            plots.course_of_weights(curves, name),
            weights_text.course(document),
            tables.of_curves(curves, columns),
        )
        yield Figure(
            spread,
            plots.weights(weights["histogram"], name),
            weights_text.spread(document),
            tables.of_histogram(weights["histogram"]),
        )
    means = {"difference": "mean |θ_J − θ*|", "mean": f"mean {name}"}
    if weights["method"] == "mtt":
        del means["mean"]
    if None in (layer["difference"] for layer in weights["layers"]):
        del means["difference"]
    if means:
        yield Figure(
            "Layer by layer",
            plots.layers(weights["layers"], means),
            weights_text.by_layer(document),
            tables.of_layers(weights["layers"], means),
        )

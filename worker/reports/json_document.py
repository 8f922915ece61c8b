"""``report.json``: the public part of what was measured, and how it was made."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import nn

from iadd.bundle.bundle import describe_recipe
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.runtime.json import finite
from worker.reports import conclusions
from worker.reports.inputs import ReportSource
from worker.reports.intervals import mean_interval
from worker.reports.weights_data import importance_json, network_of

POINTS = 1000
"""Points of a curve at most; a longer run is thinned evenly."""

_SETS = ("distilled", "start", "random", "full")
"""Training sets; evaluations of version 0.3 and before have no ``start``."""
_MEANS = ("accuracy", "balanced_accuracy", "macro_f1", "auroc")

Json = dict[str, Any]


def report_json(source: ReportSource) -> Json:
    """Write ``report.json`` as the contract has it: strict JSON, NaN and infinity become null.

    The curves are thinned to 1,000 points; W is given as a histogram and as means over layers.
    """
    config = source.distilled.config
    document = {
        "asked_on": source.asked_on,
        # Its name is the organisation's own, and no recipient sees it.
        "dataset": {"classes": source.counts, "split_by": source.split_by},
        "preset": config.preset,
        "images_per_class": config.distillation.images_per_class,
        "initialisation": config.distillation.initialisation,
        "image_format": config.distillation.image_format,
        "randomness": source.randomness,
        "seed": config.seed,
        "best_iteration": source.distilled.best_iteration,
        "settings": config.to_dict(),
        "versions": source.versions,
        "timings": source.timings,
        "utility": {name: _figures(source.utility[name]) for name in _measured(source.utility)},
        "roc": _roc(source.utility),
        "networks": _networks(source),
        "privacy": source.privacy.to_dict(),
        "curves": curves_json(source.distilled),
        "importance_weights": importance_json(source.distilled),
        "recipe": describe_recipe(config, source.distilled.syn_lr),
    }
    strict: Json = finite(document)
    strict["conclusions"] = [asdict(conclusion) for conclusion in conclusions.conclude(strict)]
    return strict


def _measured(utility: Mapping[str, Any]) -> list[str]:
    return [name for name in _SETS if name in utility]


def _figures(measured: Mapping[str, Any]) -> Json:
    """Return the figures of one training set, with the intervals of their means."""
    return {
        **{name: value for name, value in measured.items() if name != "roc"},
        "intervals": {name: mean_interval(measured[name]) for name in _MEANS},
    }


def _roc(utility: Mapping[str, Any]) -> Json | None:
    """Return curves by training set and class, apart from the utility that the catalogue holds."""
    kept = {name: utility[name].get("roc") for name in _measured(utility)}
    if None in kept.values():
        return None
    rates = kept["distilled"]["false_positive_rate"]
    return {
        "false_positive_rate": rates,
        **{name: curves["classes"] for name, curves in kept.items()},
    }


def _networks(source: ReportSource) -> Json:
    """Return the networks that the figures were measured with, the one it was made for first."""
    config = source.distilled.config
    made_for = config.network.network
    networks: Json = {made_for: _network(config, network_of(source.distilled), source.utility)}
    for name, measured in source.networks.items():
        other = config.override({"network": name})
        networks[name] = _network(other, network_of(source.distilled, other), measured)
    return networks


def network_json(config: Config, network: nn.Module) -> Json:
    """Describe the architecture of a network; nothing of it was measured."""
    # The other networks have one depth and one width.
    is_convnet = config.network.network == "convnet"
    return {
        "depth": config.network.depth if is_convnet else None,
        "width": config.network.width if is_convnet else None,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }


def _network(config: Config, network: nn.Module, measured: Mapping[str, Any]) -> Json:
    """Describe one network: ``utility`` of the distilled set, and ``random`` as its baseline."""
    distilled, random = measured["distilled"], measured["random"]
    return {
        **network_json(config, network),
        "trained": distilled["accuracy"]["n"],
        "lr": distilled["lr"],
        "epochs": distilled["epochs"],
        "utility": {name: distilled[name] for name in _MEANS},
        "random": {"lr": random["lr"], **{name: random[name] for name in _MEANS}},
    }


def curves_json(distilled: DistilledDataset) -> Json:
    """Return the curves of the distillation, thinned."""
    curves = distilled.history.curves
    length = len(curves["iteration"])
    kept = sorted({round(i * (length - 1) / (POINTS - 1)) for i in range(POINTS)})
    rows = range(length) if length <= POINTS else kept
    thinned: Json = {name: [values[row] for row in rows] for name, values in curves.items()}
    return {**thinned, "validation": distilled.history.validation}

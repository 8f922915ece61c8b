"""``report.json``: the public part of what was measured, and how it was made."""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from iadd.distilled import DistilledDataset
from iadd.privacy import PrivacyReport
from worker.reports.importance import importance_json, network_of

POINTS = 1000
"""Points of a curve at most; a longer run is thinned evenly."""

_PACKAGES = ("iadd-exchange", "torch", "torchmetrics", "numpy", "pillow", "safetensors")

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ReportSource:
    """Everything that a report tells.

    Attributes:
        dataset: The dataset's name.
        counts: Images per class and split, ``{class: {train, validation, test}}``.
        distilled: The distilled set with W, its history and its initial images.
        utility: ``Evaluation.to_dict()`` under ``distilled``, ``random`` and ``full``.
        privacy: The audit.
        timings: Seconds of work per phase.
        versions: Of the software, see `software_versions`.
    """

    dataset: str
    counts: Mapping[str, Mapping[str, int]]
    distilled: DistilledDataset
    utility: Mapping[str, Any]
    privacy: PrivacyReport
    timings: Mapping[str, float]
    versions: Mapping[str, str]


def software_versions() -> dict[str, str]:
    """What the results depend on, by name."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def report_json(source: ReportSource) -> Json:
    """Write ``report.json`` as the contract has it. It is strict JSON: what is no number is null.

    The curves are thinned to 1,000 points; W is there as a histogram and as means over layers.
    """
    config = source.distilled.config
    document = {
        "dataset": {"name": source.dataset, "classes": source.counts},
        "preset": config.preset,
        "images_per_class": config.distillation.images_per_class,
        "initialisation": config.distillation.initialisation,
        "seed": config.seed,
        "best_iteration": source.distilled.best_iteration,
        "settings": config.to_dict(),
        "versions": source.versions,
        "timings": source.timings,
        "utility": {name: source.utility[name] for name in ("distilled", "random", "full")},
        "networks": _networks(source.distilled),
        "privacy": source.privacy.to_dict(),
        "curves": _curves(source.distilled),
        "importance_weights": importance_json(source.distilled),
    }
    finite: Json = _finite(document)
    return finite


def _networks(distilled: DistilledDataset) -> Json:
    """The networks that the figures were measured with, by name."""
    config = distilled.config
    # The other networks have one depth and one width.
    is_convnet = config.network.network == "convnet"
    return {
        config.network.network: {
            "depth": config.network.depth if is_convnet else None,
            "width": config.network.width if is_convnet else None,
            "parameters": sum(p.numel() for p in network_of(distilled).parameters()),
            "trained": config.evaluation.evaluation_networks,
        }
    }


def _curves(distilled: DistilledDataset) -> Json:
    curves = distilled.history.curves
    length = len(curves["iteration"])
    kept = sorted({round(i * (length - 1) / (POINTS - 1)) for i in range(POINTS)})
    rows = range(length) if length <= POINTS else kept
    thinned: Json = {name: [values[row] for row in rows] for name, values in curves.items()}
    return {**thinned, "validation": distilled.history.validation}


def _finite(value: Any) -> Any:
    """The same document with null for every number that JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    return value

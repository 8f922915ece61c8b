"""Inputs of a report."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from iadd.data.distilled_dataset import DistilledDataset
from iadd.privacy import PrivacyReport

_PACKAGES = ("iadd-exchange", "torch", "torchmetrics", "numpy", "pillow", "safetensors")


@dataclass(frozen=True, kw_only=True)
class ReportSource:
    """All that a report shows.

    Attributes:
        dataset: The dataset's name.
        counts: Images per class and split, ``{class: {train, validation, test}}``.
        distilled: The distilled set with W, its history and its initial images.
        utility: ``Evaluation.to_dict()`` under ``distilled``, ``random`` and ``full``; with
            ``roc`` in each, ``Evaluation.roc_curves()``, where it was kept.
        privacy: The audit.
        timings: Seconds of work per phase.
        versions: Of the software, see `software_versions`.
        asked_on: The day on which the distillation was asked for, ``2026-11-26``; or None.
        split_by: What the dataset's split keeps together (`Dataset.split_by`); None where a
            version before 0.3 read it.
        networks: Of other networks, by name: ``Evaluation.to_dict()`` under ``distilled`` and
            ``random``.
    """

    dataset: str
    counts: Mapping[str, Mapping[str, int]]
    distilled: DistilledDataset
    utility: Mapping[str, Any]
    privacy: PrivacyReport
    timings: Mapping[str, float]
    versions: Mapping[str, str]
    asked_on: str | None = None
    split_by: str | None = None
    networks: Mapping[str, Any] = field(default_factory=dict)


def software_versions() -> dict[str, str]:
    """Return the versions of the software that the results depend on, by name."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}

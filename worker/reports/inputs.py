"""Inputs of a report."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.privacy import PrivacyReport

_PACKAGES = ("iadd-exchange", "torch", "torchmetrics", "numpy", "pillow", "safetensors")


Randomness = Literal["secret", "published"]


@dataclass(frozen=True, kw_only=True)
class RecordScore:
    """How far the twins' membership scores tell one audit unit.

    Attributes:
        number: Number of the unit within the audit; it names no patient and no file.
        class_name: Class of its images.
        runs_in: Runs that trained with it.
        runs_out: Runs that trained without it.
        mean_in: Mean score where it was in.
        mean_out: Mean score where it was out.
        separation: Difference of the means in pooled standard deviations; 0 tells nothing.
    """

    number: int
    class_name: str
    runs_in: int
    runs_out: int
    mean_in: float
    mean_out: float
    separation: float


@dataclass(frozen=True, kw_only=True)
class ReportSource:
    """All that a report shows.

    Attributes:
        dataset: The dataset's name, for what stays inside.
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
        randomness: ``secret`` where what touches the images was drawn from a seed that is
            published nowhere; ``published`` where it follows from the seed in the report.
        training: Images of the training split, for the audit inside the organisation: it shows
            the nearest of them beside each distilled image. None where that is not wanted.
        records: What the membership audit kept of single records, for the same readers.
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
    randomness: Randomness = "published"
    training: ImageSet | None = None
    records: Sequence[RecordScore] = ()


def software_versions() -> dict[str, str]:
    """Return the versions of the software that the results depend on, by name."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}

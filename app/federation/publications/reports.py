"""Checks that a report can be stored and shown."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, FiniteFloat

from app.models.distillation import Verdict


class _Figure(BaseModel):
    mean: FiniteFloat
    std: FiniteFloat | None = None
    n: int | None = None


class _Row(BaseModel):
    training_images: Annotated[int, Field(ge=0, le=10**9)] | None = None
    balanced_accuracy: _Figure | None = None
    accuracy: _Figure | None = None


class _Noisy(BaseModel):
    accuracy: FiniteFloat
    networks: int


class _Metric(BaseModel):
    title: str
    outcome: str
    explanation: str | None = None


class _Attack(BaseModel):
    title: str
    stratum: str
    outcome: str
    tpr: FiniteFloat
    fpr: FiniteFloat
    tpr_interval: tuple[FiniteFloat, FiniteFloat]


class _Privacy(BaseModel):
    verdict: Verdict
    statement: str = ""
    metrics: list[_Metric] = []
    attacks: list[_Attack] = []
    power: dict[str, Any] | None = None
    proof: dict[str, Any] | None = None


class _Dataset(BaseModel):
    classes: dict[Annotated[str, Field(min_length=1, max_length=100)], Any] = Field(min_length=1)


class _Report(BaseModel):
    """The parts of a report that a hub stores and shows. Others may be there."""

    dataset: _Dataset
    utility: dict[str, _Row]
    noisy_score: _Noisy | None = None
    privacy: _Privacy


def expect_report(report: Mapping[str, Any]) -> None:
    """Raises ValueError: what pages show of it is unlike every report's, or cannot be stored."""
    _Report.model_validate(report, strict=False)
    text = json.dumps(report, allow_nan=False)
    if "\\u0000" in text:
        raise ValueError("a NUL in it cannot be stored")

"""Schema of the score that `iadd evaluate --bundle` writes, as far as the portal relies on it.

It comes from a receiver's own machine: whatever is not described here is refused, so that a score
carries figures and counts, and nothing that could identify a patient.
"""

from datetime import datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    model_validator,
)

from app.core.schemas import RequestModel, one_line

Name = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(one_line)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=10**9)]


class Figure(RequestModel):
    mean: Share | None
    std: Share | None
    n: Count


class PerClass(RequestModel):
    sensitivity: Figure
    specificity: Figure
    auroc: Figure
    support: Count


class Figures(RequestModel):
    balanced_accuracy: Figure
    accuracy: Figure
    macro_f1: Figure
    auroc: Figure
    per_class: Annotated[dict[Name, PerClass], Field(max_length=100)]


class ScoredRelease(RequestModel):
    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    images: Count


class ScoredNetwork(RequestModel):
    name: Name
    depth: Count | None
    width: Count | None


class AcceptanceScore(RequestModel):
    """The document of `iadd evaluate --bundle --out`."""

    model_config = ConfigDict(extra="forbid")

    format: Annotated[int, Field(ge=1, le=1)]
    release: ScoredRelease
    classes: Annotated[list[Name], Field(min_length=1, max_length=100)]
    left_out: Annotated[list[Name], Field(max_length=100)]
    class_map: Annotated[dict[Name, Name | None], Field(max_length=100)]
    test_images: Annotated[dict[Name, Count], Field(max_length=100)]
    figures: Figures
    recipe: Annotated[dict[Name, str | int | FiniteFloat | None], Field(max_length=20)]
    network: ScoredNetwork
    image_size: Count
    seed: int
    versions: Annotated[dict[Name, Name], Field(max_length=50)]
    time: datetime


class ScoreCreate(RequestModel):
    """Score of a training on the portal, or of `iadd evaluate --bundle` on an own machine."""

    training_id: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        default=None, description="A training that is ready, on this release alone."
    )
    score: AcceptanceScore | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.training_id is None) == (self.score is None):
            raise ValueError("send `training_id` or `score`: one of both")
        return self

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StrictInt, StringConstraints

from app.core.schemas import ReplyModel, RequestModel
from app.distillations.schemas import Progress
from app.models.training import TrainingStatus

Id = Annotated[str, StringConstraints(min_length=1, max_length=40)]
ClassName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
ClassMap = Annotated[dict[ClassName, ClassName | None], Field(max_length=100)]
ClassMaps = Annotated[dict[Id, ClassMap], Field(max_length=20)]


class TableRow(StrEnum):
    """Training data of a row of the table."""

    OWN = "own"
    RECEIVED = "received"
    BOTH = "both"


class TrainingCreate(RequestModel):
    dataset_id: Id = Field(description="An own dataset: its test images are asked about.")
    release_ids: Annotated[list[Id], Field(min_length=1, max_length=20)] = Field(
        description="Releases that your organisation has, or its own."
    )
    class_maps: ClassMaps | None = Field(
        default=None,
        description="For each release, which of its classes is which own one; null leaves a class "
        "out. Absent: a worker proposes them, and POST …/confirm continues.",
    )
    rows: Annotated[list[TableRow], Field(min_length=1, max_length=3)] = Field(
        default=list(TableRow), description="Rows of the table; each once."
    )
    own_per_class: Annotated[StrictInt, Field(ge=1, le=10**6)] | None = Field(
        default=None, description="Train on so many own images of each class. Absent: on all."
    )
    networks: Annotated[StrictInt, Field(ge=2, le=50)] = Field(
        default=5, description="For each row; the spread is over them."
    )
    seed: Annotated[StrictInt, Field(ge=0, lt=2**32)] = 0


class TrainingConfirm(RequestModel):
    class_maps: ClassMaps


class TrainingRead(ReplyModel):
    id: str
    created_at: datetime
    updated_at: datetime
    dataset_id: str
    release_ids: list[str]
    class_maps: dict[str, dict[str, str | None]] | None = Field(
        description="Proposed while it is `proposed`, confirmed after that."
    )
    rows: list[TableRow]
    own_per_class: int | None
    networks: int
    seed: int
    status: TrainingStatus
    progress: Progress | None
    eta_seconds: float | None
    result: dict[str, Any] | None = Field(
        description="The table, and with one release its acceptance score."
    )
    problem: dict[str, Any] | None = Field(description="Why it failed (RFC 9457).")
    cancel_requested_at: datetime | None
    finished_at: datetime | None

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, JsonValue, StrictInt, StrictStr, StringConstraints

from app.core.schemas import ReplyModel, RequestModel
from app.models.distillation import DistillationStatus, Priority, Verdict


class DistillationCreate(RequestModel):
    """Ranges and choices depend on the preset: GET /api/v1/presets has them."""

    preset: Annotated[StrictStr, StringConstraints(max_length=100)]
    images_per_class: StrictInt | None = Field(
        default=None, description="IPC; the preset's if absent."
    )
    initialisation: Annotated[StrictStr, StringConstraints(max_length=100)] | None = Field(
        default=None,
        description="public, dp_mean or noise; under paper_* presets also k_mean or real, which "
        "tell who is in the set.",
    )
    seed: StrictInt = Field(
        default=0,
        description="Public: initial networks and evaluations follow from it. What touches the "
        "images is drawn from a secret that is forgotten when the distillation is ready.",
    )
    audit: Annotated[StrictStr, StringConstraints(max_length=100)] | None = Field(
        default=None,
        description="How often the run is repeated for its audit: audit_free, audit_quick, "
        "audit_standard or audit_full; the preset's if absent. Overrides of audit_* settings "
        "prevail.",
    )
    priority: Priority = Field(
        default=Priority.NORMAL,
        description="Which of the organisation's own distillations goes first. Other organisations "
        "do not notice.",
    )
    overrides: dict[str, JsonValue] = Field(
        default_factory=dict,
        max_length=100,
        description="Other settings of the preset to change, by flat name.",
    )


class Progress(ReplyModel):
    done: int
    total: int
    unit: str


class DistillationRead(ReplyModel):
    id: str
    dataset_id: str
    created_at: datetime
    updated_at: datetime
    status: DistillationStatus
    phase: DistillationStatus | None = Field(
        description="The phase that it is in, or stopped in when it failed or was cancelled."
    )
    progress: Progress | None = Field(description="Progress of this phase.")
    phases: dict[str, Progress] = Field(description="Progress of every phase begun so far.")
    eta_seconds: float | None = Field(description="Until the end of the whole job, estimated.")
    metrics: dict[str, Any]
    timings: dict[str, float] = Field(description="Seconds of work per phase.")
    verdict: Verdict | None
    problem: dict[str, Any] | None = Field(description="Why it failed (RFC 9457).")
    preset: str
    images_per_class: int
    initialisation: str
    seed: int
    audit: str | None = Field(description="Name of the audit that was asked for.")
    priority: Priority
    overrides: dict[str, Any]
    forecast_id: str | None = Field(description="The forecast shown before it began.")
    attempt: int
    withdrawal_id: str | None = Field(
        description="Set: images that it was made from were withdrawn since."
    )
    cancel_requested_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None

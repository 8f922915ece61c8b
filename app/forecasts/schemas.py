from datetime import datetime
from typing import Any

from pydantic import Field

from app.core.schemas import ReplyModel
from app.models.distillation import DistillationStatus
from app.models.forecast import ForecastStatus


class EarlierRead(ReplyModel):
    """Errors of the forecasts for this device that your finished distillations followed."""

    distillations: int
    typical_error: float = Field(description="Median of |taken / forecast − 1|: 0.2 is 20 %.")
    largest_error: float


class AuditPowerRead(ReplyModel):
    runs: int = Field(description="Test runs of the audit; 0: the run itself alone.")
    units: int = Field(description="Images or patients that are in or out by chance, at most.")
    finds: float | None = Field(
        description="Smallest share of members, found at 1 % false alarms, that the audit tells "
        "from chance with a probability of 80 %, cautiously estimated; null where it has no power."
    )
    clears: bool | None = Field(
        default=None,
        description="Whether it is large enough to clear a run that tells nothing, at the leak "
        "limit of the settings; if not, the verdict stays inconclusive. Null in older forecasts.",
    )
    text: str = Field(description="The same in words, with the time that it takes.")
    proven: bool = Field(
        default=False, description="A job under differential privacy, whose proof needs no attack."
    )


class EstimateRead(ReplyModel):
    seconds: float = Field(
        description="Of work on one device. Waiting for a worker, the attacks of the audit and "
        "packing come on top; several workers share the teachers."
    )
    low_seconds: float
    high_seconds: float
    phases: dict[str, float] = Field(
        description="Seconds of teaching, distilling, evaluating, and of the audit's repetitions."
    )
    audit: AuditPowerRead | None = None
    measured_seconds: float = Field(
        description="From the measured steps alone, without the correction by earlier ones."
    )
    peak_bytes: int = Field(description="The most memory on the device.")
    memory_bytes: int = Field(description="What the device has.")
    disk_bytes: int = Field(description="Of the object store.")
    device: str
    measured_at: datetime
    basis: str = Field(description="Source of the numbers, in words.")
    teachers_are_there: bool = Field(
        description="An earlier distillation has trained the same teachers: they are used again."
    )
    in_parts: bool = Field(
        description="It needs more memory than the GPU has, so images are computed in parts, and "
        "it takes longer than forecast."
    )
    earlier: EarlierRead | None


class WaitingRead(ReplyModel):
    """Why there is no estimate yet."""

    ahead: int = Field(description="Forecasts that a worker measures before.")
    computing: int = Field(description="Computations that workers are busy with.")
    text: str


class FollowedRead(ReplyModel):
    """The distillation that was started after the forecast."""

    distillation_id: str
    status: DistillationStatus
    seconds: float | None = Field(
        description="Time that it took for the forecast phases, once it is ready."
    )


class ForecastRead(ReplyModel):
    id: str
    created_at: datetime
    updated_at: datetime
    dataset_id: str
    status: ForecastStatus
    preset: str
    settings: dict[str, Any] = Field(description="All of them, by flat name.")
    audit: AuditPowerRead | None = Field(
        default=None, description="What its audit can find; known before anything is measured."
    )
    estimate: EstimateRead | None
    waiting: WaitingRead | None = Field(description="While it is queued or measuring.")
    problem: dict[str, Any] | None = Field(
        description="Why these settings cannot be run, and which could (RFC 9457)."
    )
    followed: FollowedRead | None

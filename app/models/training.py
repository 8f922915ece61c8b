from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime, text_enum
from app.models.base import Base, Timestamps
from app.models.lease import Leased


class TrainingStatus(StrEnum):
    PROPOSING = "proposing"
    """A worker compares the names of the classes."""
    PROPOSED = "proposed"
    """The class maps wait for a person's confirmation."""
    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED = (TrainingStatus.PROPOSING, TrainingStatus.QUEUED, TrainingStatus.RUNNING)
"""A worker has something to do."""
OPEN = (*UNFINISHED, TrainingStatus.PROPOSED)


class Training(Leased, Timestamps, Base):
    """Evaluates networks trained on others' releases on own test images."""

    __tablename__ = "training"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("tr"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), index=True)
    release_ids: Mapped[list[str]] = mapped_column(JsonColumn)
    class_maps: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """{release: {its class: own class or null}}, proposed, or as it was confirmed."""
    rows: Mapped[list[str]] = mapped_column(JsonColumn)
    """Rows of the table: `own`, `received`, `both`."""
    own_per_class: Mapped[int | None] = mapped_column(default=None)
    networks: Mapped[int]
    """For each row."""
    seed: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[TrainingStatus] = mapped_column(
        text_enum(TrainingStatus), default=TrainingStatus.PROPOSING, index=True
    )
    progress: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """{"done", "total", "unit"}."""
    eta_seconds: Mapped[float | None] = mapped_column(default=None)
    result: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    problem: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)

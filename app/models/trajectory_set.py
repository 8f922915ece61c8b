from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, text_enum
from app.models.base import Base, Timestamps
from app.models.distillation import Randomness, new_private_seed


class TrajectorySetStatus(StrEnum):
    RECORDING = "recording"
    READY = "ready"
    FAILED = "failed"


class TrajectorySet(Timestamps, Base):
    """The teachers of one dataset under one setting; every distillation of them shares it."""

    __tablename__ = "trajectory_set"
    __table_args__ = (UniqueConstraint("dataset_id", "teacher_key"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("ts"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    teacher_key: Mapped[str] = mapped_column(String(64))
    config: Mapped[JsonObject] = mapped_column(JsonColumn)
    private_seed: Mapped[str | None] = mapped_column(String(32), default=new_private_seed)
    """What its teachers draw follows from it; forgotten once all are recorded, or one failed."""
    randomness: Mapped[Randomness] = mapped_column(
        text_enum(Randomness), default=Randomness.SECRET, server_default=text("'published'")
    )
    teachers: Mapped[int]
    done_count: Mapped[int] = mapped_column(default=0)
    status: Mapped[TrajectorySetStatus] = mapped_column(
        text_enum(TrajectorySetStatus), default=TrajectorySetStatus.RECORDING
    )

from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, text_enum
from app.models.base import Base, Timestamps
from app.models.lease import Leased


class TeacherStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Teacher(Leased, Timestamps, Base):
    """One expert trajectory."""

    __tablename__ = "teacher"
    __table_args__ = (UniqueConstraint("trajectory_set_id", "index"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("te"))
    trajectory_set_id: Mapped[str] = mapped_column(ForeignKey("trajectory_set.id"))
    index: Mapped[int]
    """0 to teachers - 1; it seeds the teacher."""
    status: Mapped[TeacherStatus] = mapped_column(
        text_enum(TeacherStatus), default=TeacherStatus.PENDING
    )
    attempt: Mapped[int] = mapped_column(default=0)
    epochs_done: Mapped[int] = mapped_column(default=0)
    object_key: Mapped[str | None] = mapped_column(default=None)
    partial_key: Mapped[str | None] = mapped_column(default=None)
    problem: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)

from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, text_enum
from app.models.base import Base, Timestamps
from app.models.lease import Leased


class TwinStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class AuditTwin(Leased, Timestamps, Base):
    """Some repetitions of a distillation for its audit, which one worker trains together."""

    __tablename__ = "audit_twin"
    __table_args__ = (UniqueConstraint("distillation_id", "number"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("tw"))
    distillation_id: Mapped[str] = mapped_column(ForeignKey("distillation.id"))
    number: Mapped[int]
    """The first repetition; the audit's secret and its number say who is in it."""
    runs: Mapped[int]
    """How many there are, from that number on."""
    status: Mapped[TwinStatus] = mapped_column(text_enum(TwinStatus), default=TwinStatus.PENDING)
    attempt: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    """Hundredths of its work that are done."""
    seconds: Mapped[float] = mapped_column(default=0.0)
    """Seconds of work so far."""
    object_key: Mapped[str | None] = mapped_column(default=None)
    """Where its scores lie, in the order of the numbers. Private: deleted with the dataset."""
    partial_key: Mapped[str | None] = mapped_column(default=None)
    problem: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import utc_now
from app.core.types import JsonColumn, JsonObject, UtcDateTime, text_enum
from app.models.base import Base


class EventKind(StrEnum):
    PROGRESS = "progress"
    METRIC = "metric"
    LOG = "log"
    STATUS = "status"


class Event(Base):
    """One server-sent event; its id is what `Last-Event-ID` names."""

    __tablename__ = "event"
    # AUTOINCREMENT: SQLite would otherwise give a deleted last id out again.
    __table_args__ = (
        Index(None, "distillation_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    distillation_id: Mapped[str] = mapped_column(ForeignKey("distillation.id"))
    kind: Mapped[EventKind] = mapped_column(text_enum(EventKind))
    data: Mapped[JsonObject] = mapped_column(JsonColumn)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

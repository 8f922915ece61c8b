from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import UtcDateTime
from app.models.base import Base


class DeviceUse(Base):
    """How long a worker worked on a row for an organisation. Forgotten after some months."""

    __tablename__ = "device_use"
    __table_args__ = (Index(None, "queue", "ended_at"), Index(None, "organisation_id", "ended_at"))

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("du"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"))
    queue: Mapped[str] = mapped_column(String(32))
    seconds: Mapped[float]
    ended_at: Mapped[datetime] = mapped_column(UtcDateTime)

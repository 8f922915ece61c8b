from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.types import UtcDateTime
from app.models.base import Base

ONLY = 1
"""Id of the one row."""


class ServiceState(Base):
    """The service as a whole: one row."""

    __tablename__ = "service_state"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=ONLY)
    version: Mapped[str] = mapped_column(String(64), default="")
    """Version that brought the schema to where it is; older ones read it to know how far on."""
    drained_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Set: no worker takes work."""

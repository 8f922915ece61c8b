from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.types import UtcDateTime
from app.models.base import Base


class PortalProcess(Base):
    """A portal process, as its heartbeat reports it every few seconds."""

    __tablename__ = "portal_process"

    id: Mapped[str] = mapped_column(String(300), primary_key=True)
    """`host:pid`."""
    version: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

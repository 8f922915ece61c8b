from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.types import UtcDateTime, text_enum
from app.models.base import Base, Timestamps
from app.models.lease import Leased

ONLY = "scheduled"
"""Id of the one row."""


class BackupStatus(StrEnum):
    NONE = "none"
    """Not tried yet."""
    MADE = "made"
    FAILED = "failed"


class ScheduledBackup(Timestamps, Leased, Base):
    """How the last scheduled backup went: one row, and its lease is the portal's that makes one."""

    __tablename__ = "scheduled_backup"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=ONLY)
    status: Mapped[BackupStatus] = mapped_column(text_enum(BackupStatus), default=BackupStatus.NONE)
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """When the last try ended."""
    made_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Of the last good one: when its database was read."""
    size: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """Bytes of the last good one."""
    problem: Mapped[str | None] = mapped_column(String(1000), default=None)
    """Why the last try failed; null when it did not."""

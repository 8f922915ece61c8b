from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.types import JsonColumn, UtcDateTime
from app.models.base import Base, Timestamps


class SecondFactor(Timestamps, Base):
    """A person's authenticator app, asked for after the password."""

    __tablename__ = "second_factor"

    user_id: Mapped[str] = mapped_column(String(40), ForeignKey("person.id"), primary_key=True)
    sealed_secret: Mapped[str]
    """The secret shared with the app (RFC 6238), encrypted by the portal's vault."""
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """None until the app has shown a first right code; nobody is asked for one before."""
    last_step: Mapped[int] = mapped_column(default=0)
    """Number of the last accepted code's half minute: neither it nor an earlier one works again."""
    recovery_hashes: Mapped[list[str]] = mapped_column(JsonColumn, default=list)
    """Hashes of the recovery codes that were not used yet."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.types import UtcDateTime
from app.models.base import Base, Timestamps


class SignInFailures(Timestamps, Base):
    """Wrong passwords for one account from one device or address, since the last right one."""

    __tablename__ = "sign_in_failures"

    user_id: Mapped[str] = mapped_column(ForeignKey("person.id"), primary_key=True)
    source: Mapped[str] = mapped_column(String(100), primary_key=True)
    """`device …`, `address …` or `session`: see `app.auth.failures`."""
    count: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)

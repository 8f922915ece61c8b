from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime, text_enum
from app.models.base import Base, Timestamps


class MailStatus(StrEnum):
    NONE = "none"
    """This portal sends no mail."""
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    """Given up after many tries."""


class Notification(Timestamps, Base):
    """A notice to one person, in the portal and by mail."""

    __tablename__ = "notification"
    __table_args__ = (
        Index(None, "mail_status", "next_try_at"),
        Index(None, "user_id", "read_at", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("no"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("person.id"), index=True, default=None)
    """None for mail to a person without an account."""
    email: Mapped[str] = mapped_column(String(320))
    kind: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(300))
    text: Mapped[str] = mapped_column(String(4000))
    link: Mapped[str | None] = mapped_column(String(500), default=None)
    """Path within the portal."""
    sealed_link: Mapped[str | None] = mapped_column(default=None)
    """A link with a secret in it, encrypted until the mail has left."""
    data: Mapped[JsonObject] = mapped_column(JsonColumn, default=dict)
    """Ids of what it is about."""
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    mail_status: Mapped[MailStatus] = mapped_column(text_enum(MailStatus))
    mail_tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime, text_enum
from app.models.base import Base, Timestamps


class ShareStatus(StrEnum):
    WAITING = "waiting"
    """To be sent, or to be tried again."""
    SHARED = "shared"
    """The hub shows it."""
    REFUSED = "refused"
    """The hub does not take it; `problem` says why."""
    WITHDRAWING = "withdrawing"
    """It was withdrawn here, and the hub is still to be told."""
    WITHDRAWN = "withdrawn"
    """The hub shows a tombstone."""


UNFINISHED = (ShareStatus.WAITING, ShareStatus.WITHDRAWING)
"""Something is still to be sent."""


class Share(Timestamps, Base):
    """A release on its way to a hub, and what became of it: the outbox of a connection."""

    __tablename__ = "share"
    __table_args__ = (
        UniqueConstraint("release_id", "connection_id"),
        Index(None, "status", "due_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("shr"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"))
    connection_id: Mapped[str] = mapped_column(ForeignKey("connection.id"), index=True)
    status: Mapped[ShareStatus] = mapped_column(text_enum(ShareStatus), default=ShareStatus.WAITING)
    asked_by: Mapped[str] = mapped_column(String(200))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Next try. A portal that takes it moves it on, so that no other takes it meanwhile."""
    tries: Mapped[int] = mapped_column(default=0)
    """Failed ones since the last that succeeded."""
    problem: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """Why the last try failed; None where it did not."""
    shared_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)

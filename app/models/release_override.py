from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, UtcDateTime, text_enum
from app.models.base import Base, Timestamps


class OverrideStatus(StrEnum):
    REQUESTED = "requested"
    """One person asked; a second one decides."""
    APPROVED = "approved"
    DECLINED = "declined"
    USED = "used"
    """A release was published by it."""
    EXPIRED = "expired"


class ReleaseOverride(Timestamps, Base):
    """A decision of two people to release a set in spite of objections of the release policy."""

    __tablename__ = "release_override"
    __table_args__ = (Index(None, "organisation_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("ov"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"))
    distillation_id: Mapped[str] = mapped_column(ForeignKey("distillation.id"), index=True)
    objections: Mapped[list[str]] = mapped_column(JsonColumn)
    """Codes of the objections that it waives."""
    reason: Mapped[str] = mapped_column(String(2000))
    """Published with the release."""
    status: Mapped[OverrideStatus] = mapped_column(text_enum(OverrideStatus))
    requested_by_id: Mapped[str] = mapped_column(ForeignKey("person.id"))
    requested_by: Mapped[str] = mapped_column(String(200))
    decided_by_id: Mapped[str | None] = mapped_column(ForeignKey("person.id"), default=None)
    decided_by: Mapped[str | None] = mapped_column(String(200), default=None)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """From then on it can neither be decided nor used."""
    release_id: Mapped[str | None] = mapped_column(String(40), default=None)
    """The release that was published by it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.types import JsonColumn, JsonObject, UtcDateTime, text_enum
from app.models.base import Base


class Outcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"


class AuditEntry(Base):
    """One line of an organisation's log. Never changed, never deleted."""

    __tablename__ = "audit_entry"

    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """1, 2, 3, … without a gap."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[JsonObject] = mapped_column(JsonColumn)
    """{"organisation", "user", "token", "name"}."""
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str | None] = mapped_column(String(40), index=True)
    """Id of what it was done to."""
    outcome: Mapped[Outcome] = mapped_column(text_enum(Outcome))
    details: Mapped[JsonObject] = mapped_column(JsonColumn)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 over everything above (`app.audit.chain`)."""


class AuditHead(Base):
    """The last entry of an organisation's log, so that cutting its end off is seen too."""

    __tablename__ = "audit_head"

    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), primary_key=True)
    number: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))


class AuditCheckpoint(Base):
    """Where a log ended when it was checked last, signed by its organisation."""

    __tablename__ = "audit_checkpoint"

    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), primary_key=True)
    statement: Mapped[JsonObject] = mapped_column(JsonColumn)
    """As `app.audit.statement.signed_head` makes it."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime
from app.models.base import Base, Timestamps


class Connection(Timestamps, Base):
    """A hub that an organisation of this portal shares releases with. This side calls it."""

    __tablename__ = "connection"
    __table_args__ = (UniqueConstraint("organisation_id", "url"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("con"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    """What the organisation calls the hub."""
    url: Mapped[str] = mapped_column(String(2000))
    sealed_token: Mapped[str]
    """The organisation's token at the hub, encrypted with this portal's secret."""
    there: Mapped[str] = mapped_column(String(200))
    """The organisation's name at the hub."""
    there_id: Mapped[str] = mapped_column(String(40))
    """Its id there: a later token is of the same organisation."""
    hub_key: Mapped[str] = mapped_column(String(100))
    """The hub's public key at the first contact: another one later stops everything."""
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """When a person had compared the hub's fingerprint."""
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Last contact."""
    version: Mapped[str] = mapped_column(String(50), default="")
    """Of the hub, at the last contact."""
    problem: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """Why the last contact failed; None where it did not."""

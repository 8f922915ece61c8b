from datetime import datetime

from sqlalchemy import ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime
from app.models.base import Base, Timestamps


class OrganisationKey(Timestamps, Base):
    """An Ed25519 key that an organisation signs with, or once signed with."""

    __tablename__ = "organisation_key"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("key"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    public_key: Mapped[str] = mapped_column(String(100), unique=True)
    sealed_private_key: Mapped[str | None] = mapped_column(default=None)
    """Encrypted with the portal's secret; gone once another key has taken over."""
    is_home: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Its private part is in the organisation's own portal, and releases from there are signed
    with it; this portal signs nothing with it."""
    rotation: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """The statement of the key before it that this one follows; None for a first key, and where
    the key before was compromised."""
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    compromised: Mapped[bool] = mapped_column(default=False)

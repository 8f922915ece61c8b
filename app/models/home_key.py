from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.types import UtcDateTime
from app.models.base import Base, Timestamps


class HomeKey(Timestamps, Base):
    """The key that an organisation signs with in its own portal, as this hub knows it.

    A person of the organisation confirms it by its fingerprint before anything signed with it is
    shown.
    """

    __tablename__ = "home_key"

    organisation_id: Mapped[str] = mapped_column(
        String(40), ForeignKey("organisation.id"), primary_key=True
    )
    public_key: Mapped[str] = mapped_column(String(100))
    pending_key: Mapped[str | None] = mapped_column(String(100), default=None)
    """One that was sent since and that no statement of the confirmed one leads to: it takes its
    place once a person has confirmed it, and changes nothing until then."""
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    confirmed_by: Mapped[str] = mapped_column(String(200), default="")

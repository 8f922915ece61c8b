from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.types import JsonColumn, JsonObject, text_enum
from app.models.base import Base, Timestamps


class PublicationStatus(StrEnum):
    RECEIVING = "receiving"
    """Parts of its bundle are missing."""
    ACCEPTED = "accepted"
    """It is a release here."""
    REFUSED = "refused"
    """It was complete and is not shown; `problem` says why."""
    WITHDRAWN = "withdrawn"
    """Its organisation withdrew it before it was shown; it never will be."""


class Publication(Timestamps, Base):
    """A release that another portal sends here, under its own id."""

    __tablename__ = "publication"

    release_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    status: Mapped[PublicationStatus] = mapped_column(
        text_enum(PublicationStatus), default=PublicationStatus.RECEIVING
    )
    envelope: Mapped[JsonObject] = mapped_column(JsonColumn)
    """The signed statement, as it came."""
    size: Mapped[int] = mapped_column(BigInteger)
    """Bytes of its bundle."""
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    problem: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)

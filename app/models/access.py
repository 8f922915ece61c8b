"""Tables of access to releases: requests, grants, acceptances, downloads, scores."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import UtcDateTime, text_enum
from app.models.base import Base, Timestamps


class RequestStatus(StrEnum):
    REQUESTED = "requested"
    RETURNED = "returned"
    """Sent back with a reason; the requester may change the purpose and send it again."""
    GRANTED = "granted"
    DENIED = "denied"
    CANCELLED = "cancelled"
    """By the requester."""


OPEN_REQUESTS = (RequestStatus.REQUESTED, RequestStatus.RETURNED)


class AccessRequest(Timestamps, Base):
    __tablename__ = "access_request"
    __table_args__ = (
        # What was received and what was sent, newest first.
        Index(None, "owner_id", "created_at", "id"),
        Index(None, "organisation_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("req"))
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"), index=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    """The release's organisation."""
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    """The requesting organisation."""
    user_id: Mapped[str | None] = mapped_column(ForeignKey("person.id"), default=None)
    requester: Mapped[str] = mapped_column(String(200))
    """Name and address come from the account, never from a form."""
    requester_email: Mapped[str] = mapped_column(String(320))
    purpose: Mapped[str] = mapped_column(String(4000))
    status: Mapped[RequestStatus] = mapped_column(
        text_enum(RequestStatus), default=RequestStatus.REQUESTED, index=True
    )
    reason: Mapped[str] = mapped_column(String(2000), default="")
    """Reason of a return or denial."""
    decided_by: Mapped[str | None] = mapped_column(String(200), default=None)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class Grant(Timestamps, Base):
    """One organisation may download one release, from now until it expires or is revoked."""

    # "grant" is a word of SQL's own.
    __tablename__ = "access_grant"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("gr"))
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"), index=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    """The organisation that may download."""
    request_id: Mapped[str | None] = mapped_column(ForeignKey("access_request.id"), default=None)
    """None: granted without a request."""
    granted_by: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Time of the notice to both sides that it will expire."""
    expiry_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    revoked_by: Mapped[str | None] = mapped_column(String(200), default=None)
    reason: Mapped[str] = mapped_column(String(2000), default="")
    """Reason of the revocation."""


class Acceptance(Base):
    """Acceptance of a release's terms for an organisation: person, time and text."""

    __tablename__ = "acceptance"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("acc"))
    grant_id: Mapped[str] = mapped_column(ForeignKey("access_grant.id"), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("person.id"))
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(320))
    accepted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    terms_sha256: Mapped[str] = mapped_column(String(64))
    terms_text: Mapped[str]
    """As it was accepted, whatever becomes of the release."""


class Download(Base):
    """Another organisation fetched a release's bundle."""

    __tablename__ = "download"
    __table_args__ = (Index(None, "release_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("dow"))
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("person.id"), default=None)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Score(Base):
    """A recipient's measurement on its own images, signed with its own key."""

    __tablename__ = "score"
    __table_args__ = (
        UniqueConstraint("release_id", "organisation_id", "number"),
        Index(None, "release_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("sc"))
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"), index=True)
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"))
    number: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    """Name of the person who sent it."""
    document: Mapped[str]
    """The signed document: canonical JSON of the figures, the release and its fingerprint."""
    signature: Mapped[str] = mapped_column(String(200))
    public_key: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

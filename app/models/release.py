from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime, text_enum
from app.models.base import Base, Timestamps
from app.models.distillation import Verdict


class ReleaseStatus(StrEnum):
    PUBLISHED = "published"
    SUPERSEDED = "superseded"
    """A later number took its place; who had access keeps it."""
    WITHDRAWN = "withdrawn"
    """A tombstone: that it existed and why it went can be read; nothing can be downloaded."""


class ReleaseWarning(StrEnum):
    SINGLE_PATIENT_START = "single_patient_start"
    """Its images started from single patients' images or their means: whoever has candidates finds
    out who is in the set."""


class Release(Timestamps, Base):
    """Version n of a distillation, as others see it. Its content never changes."""

    __tablename__ = "release"
    __table_args__ = (
        UniqueConstraint("distillation_id", "number"),
        # The catalogue, newest first, with what it can be narrowed by: in the rows themselves that
        # lies behind long texts.
        Index(
            "ix_release_catalogue",
            *("status", "created_at", "id", "organisation_id", "modality", "verdict"),
            *("terms_template", "images", "balanced_accuracy"),
        ),
        # An organisation's own list, newest first.
        Index(None, "organisation_id", "created_at", "id"),
        # What an organisation stores, without a look at the rows.
        Index(None, "organisation_id", "bundle_size"),
        # Those whose owners are still to be told, without a look at the rows.
        Index(None, "warning", "warned_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("rel"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    distillation_id: Mapped[str | None] = mapped_column(ForeignKey("distillation.id"), index=True)
    """None for one that another portal published here."""
    number: Mapped[int]
    status: Mapped[ReleaseStatus] = mapped_column(
        text_enum(ReleaseStatus), default=ReleaseStatus.PUBLISHED, index=True
    )
    title: Mapped[str] = mapped_column(String(200))
    summary: Mapped[str] = mapped_column(String(1000))
    card: Mapped[str] = mapped_column(String(20000))
    """The dataset card, as the steward wrote it (Markdown)."""
    terms_template: Mapped[str] = mapped_column(String(32))
    terms_text: Mapped[str]
    terms_sha256: Mapped[str] = mapped_column(String(64))
    duo_codes: Mapped[list[str]] = mapped_column(JsonColumn)
    contact: Mapped[str] = mapped_column(String(320))
    citation: Mapped[str] = mapped_column(String(2000))
    embargo_until: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Until then others see it and may request access, but cannot download."""
    previews: Mapped[bool] = mapped_column(default=False)
    """Distilled images may be seen before access is granted."""
    modality: Mapped[str] = mapped_column(String(64))
    images: Mapped[int]
    images_per_class: Mapped[int]
    image_size: Mapped[int]
    balanced_accuracy: Mapped[float | None]
    """Balanced accuracy of networks trained on it, on the owner's test images."""
    verdict: Mapped[Verdict] = mapped_column(text_enum(Verdict))
    facts: Mapped[JsonObject] = mapped_column(JsonColumn)
    """The public part of the report that the catalogue shows: utility, privacy, preset."""
    decision: Mapped[JsonObject] = mapped_column(JsonColumn)
    """The release decision and its policy."""
    override: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """What two people waived and why, where the policy objected; everybody reads it."""
    warning: Mapped[ReleaseWarning | None] = mapped_column(text_enum(ReleaseWarning), default=None)
    """What was found about such releases later on; everybody reads it."""
    warned_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """When its owner was told."""
    bundle_key: Mapped[str]
    bundle_sha256: Mapped[str] = mapped_column(String(64))
    fingerprint: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the bundle's SHA256SUMS: what `exchange verify` shows, and scores name."""
    bundle_size: Mapped[int] = mapped_column(BigInteger)
    key_id: Mapped[str] = mapped_column(ForeignKey("organisation_key.id"))
    """The key that signed it."""
    published_by: Mapped[str] = mapped_column(String(200))
    superseded_by: Mapped[str | None] = mapped_column(String(40), default=None)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    withdrawal_reason: Mapped[str] = mapped_column(String(2000), default="")
    withdrawal_id: Mapped[str | None] = mapped_column(String(40), default=None)
    """The withdrawal of patients or of a dataset that it came from, where there was one."""


class ReleaseClass(Base):
    """A class of a release, to search for."""

    __tablename__ = "release_class"

    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), index=True)

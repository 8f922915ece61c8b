from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime, text_enum
from app.models.base import Base, Timestamps
from app.models.lease import Leased


class DatasetStatus(StrEnum):
    AWAITING_UPLOAD = "awaiting_upload"
    CHECKING = "checking"
    READY = "ready"
    REJECTED = "rejected"


class Dataset(Leased, Timestamps, Base):
    __tablename__ = "dataset"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("ds"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(4000), default="")
    status: Mapped[DatasetStatus] = mapped_column(
        text_enum(DatasetStatus), default=DatasetStatus.AWAITING_UPLOAD
    )
    size: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """Bytes of the archive."""
    sha256: Mapped[str | None] = mapped_column(String(64), default=None)
    """Of the archive."""
    archive_key: Mapped[str | None] = mapped_column(default=None)
    images_key: Mapped[str | None] = mapped_column(default=None)
    quality_key: Mapped[str | None] = mapped_column(default=None)
    classes: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """{class: {"train": n, "validation": n, "test": n}}, once it is ready."""
    problem: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """Why it was rejected (RFC 9457)."""
    withdrawal_id: Mapped[str | None] = mapped_column(String(40), default=None)
    """The withdrawal whose images the check that is due takes out."""
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Asked to be deleted; from then on nobody sees it."""
    purged_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Its objects are gone. The row stays, since results refer to it."""

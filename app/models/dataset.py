from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    ScalarSelect,
    String,
    and_,
    func,
    select,
    text,
)
from sqlalchemy.orm import Mapped, aliased, column_property, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime, text_enum
from app.models.base import Base, Timestamps
from app.models.lease import Leased


class DatasetStatus(StrEnum):
    AWAITING_UPLOAD = "awaiting_upload"
    CHECKING = "checking"
    AWAITING_MAPPING = "awaiting_mapping"
    """Its folders and tables can be read in several ways; a person says which is right."""
    READY = "ready"
    REJECTED = "rejected"


DRAWN_SPLITS = ("patient", "near_duplicates", "image")
"""What a split keeps together that the intake drew by chance (`Dataset.split_by`)."""


class Dataset(Leased, Timestamps, Base):
    __tablename__ = "dataset"
    __table_args__ = (
        Index(None, "organisation_id", "created_at", "id"),
        Index(None, "first_id", "version"),
        # What an organisation stores and how many datasets it has, without a look at the rows.
        Index(None, "organisation_id", "purged_at", "deleted_at", "size"),
        Index(None, "status"),
        Index(None, "organisation_id", "status", "created_at"),
        Index(None, "organisation_id", "layout_signature"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("ds"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(4000), default="")
    status: Mapped[DatasetStatus] = mapped_column(
        text_enum(DatasetStatus), default=DatasetStatus.AWAITING_UPLOAD
    )
    first_id: Mapped[str | None] = mapped_column(String(40), default=None)
    """The first version of its line; None where it is that itself."""
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    """Its place in the line. Numbers of deleted versions are not given again."""
    sample_seed: Mapped[int | None] = mapped_column(default=None)
    """Seed of a synthetic cohort; None for patients' images."""
    size: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """Bytes of the archive."""
    sha256: Mapped[str | None] = mapped_column(String(64), default=None)
    """SHA-256 of the archive."""
    read_key: Mapped[str | None] = mapped_column(default=None)
    """Folder of the pictures that were read, from which the dataset is composed."""
    layout: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """What was found, with the questions to a person, while it awaits a mapping."""
    layout_signature: Mapped[str | None] = mapped_column(String(64), default=None)
    """What archives of the same make share, so that a mapping is confirmed once."""
    mapping: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """What the folders and tables mean: as it was confirmed, or as the only reading."""
    mapping_confirmed_by: Mapped[str | None] = mapped_column(String(200), default=None)
    """Who confirmed it; None where there was nothing to ask."""
    decisions: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """What was decided about findings (`iadd.intake.decisions`)."""
    split_by: Mapped[str | None] = mapped_column(String(32), default=None)
    """What the split keeps together: `given`, `patient`, `near_duplicates`."""
    open_holds: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """Findings that hold a release until somebody decides, with their counts."""
    archive_key: Mapped[str | None] = mapped_column(default=None)
    images_key: Mapped[str | None] = mapped_column(default=None)
    quality_key: Mapped[str | None] = mapped_column(default=None)
    classes: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """{class: {"train": n, "validation": n, "test": n}}, once it is ready."""
    progress: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """Progress of its check: {"phase", "done", "total", "unit"}; None before and afterwards."""
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """When somebody asked that its check ends; None once it has."""
    problem: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """Reason of the rejection (RFC 9457)."""
    withdrawal_id: Mapped[str | None] = mapped_column(String(40), default=None)
    """The withdrawal whose images the check that is due takes out."""
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Deletion time; from then on it is hidden."""
    purged_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Its objects are gone. The row stays, since results refer to it."""

    @property
    def is_sample(self) -> bool:
        return self.sample_seed is not None

    @property
    def line_id(self) -> str:
        """Id of the first version, which all versions share."""
        return self.first_id or self.id

    if TYPE_CHECKING:
        # Set below, beside the columns: they are read without another query.
        previous_id: Mapped[str | None]
        next_id: Mapped[str | None]


_other = aliased(Dataset)


def _first(where: ColumnElement[bool], order: ColumnElement[int]) -> ScalarSelect[str]:
    """Ids of the later versions of its line that were not deleted.

    Each condition is one that an index answers: these are asked for every row of a list.
    """
    query = select(_other.id).where(where, _other.deleted_at.is_(None))
    return query.order_by(order).limit(1).correlate_except(_other).scalar_subquery()


Dataset.previous_id = column_property(
    func.coalesce(
        _first(
            and_(_other.first_id == Dataset.first_id, _other.version < Dataset.version),
            _other.version.desc(),
        ),
        _first(_other.id == Dataset.first_id, _other.version.desc()),
    )
)
Dataset.next_id = column_property(
    _first(
        and_(
            _other.first_id == func.coalesce(Dataset.first_id, Dataset.id),
            _other.version > Dataset.version,
        ),
        _other.version.asc(),
    )
)

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime, text_enum
from app.models.base import Base, Timestamps


class WithdrawalStatus(StrEnum):
    REMOVING = "removing"
    """The images are being taken out of the dataset."""
    DONE = "done"
    FAILED = "failed"


class Withdrawal(Timestamps, Base):
    """Withdrawal of patients or a whole dataset, with its lineage and recipients."""

    __tablename__ = "withdrawal"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("wd"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), index=True)
    whole_dataset: Mapped[bool]
    images: Mapped[int | None] = mapped_column(default=None)
    """Number of images removed; their names are kept nowhere."""
    reason: Mapped[str] = mapped_column(String(2000))
    keep_releases: Mapped[bool] = mapped_column(default=False)
    """Mark the releases that came from it, and leave them published."""
    asked_by: Mapped[str] = mapped_column(String(200))
    status: Mapped[WithdrawalStatus] = mapped_column(text_enum(WithdrawalStatus))
    problem: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    lineage: Mapped[JsonObject] = mapped_column(JsonColumn)
    """Lineage at that moment: trajectories, distillations, releases, recipients."""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)

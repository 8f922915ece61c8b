from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, text_enum
from app.models.base import Base, Timestamps
from app.models.lease import Leased


class TextScanStatus(StrEnum):
    WAITING = "waiting"
    """Some pictures were not looked at yet; a worker takes a slice of them at a time."""
    DONE = "done"
    FAILED = "failed"


class TextScan(Leased, Timestamps, Base):
    """The search for burned-in text in the pictures of a dataset, at their original size."""

    __tablename__ = "text_scan"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("ts"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), unique=True)
    status: Mapped[TextScanStatus] = mapped_column(
        text_enum(TextScanStatus), default=TextScanStatus.WAITING, index=True
    )
    done: Mapped[int] = mapped_column(default=0)
    """Pictures that were looked at."""
    total: Mapped[int | None] = mapped_column(default=None)
    found: Mapped[int] = mapped_column(default=0)
    """Pictures with text that may name a patient."""
    problem: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)

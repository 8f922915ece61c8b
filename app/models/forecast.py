from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, text_enum
from app.models.base import Base, Timestamps
from app.models.lease import Leased


class ForecastStatus(StrEnum):
    QUEUED = "queued"
    """No worker has measured such steps yet; it waits for one."""
    MEASURING = "measuring"
    READY = "ready"
    FAILED = "failed"


WAITING = (ForecastStatus.QUEUED, ForecastStatus.MEASURING)


class Forecast(Leased, Timestamps, Base):
    """Estimated time and memory of a distillation before it is started."""

    __tablename__ = "forecast"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("fc"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), index=True)
    preset: Mapped[str] = mapped_column(String(64))
    settings: Mapped[JsonObject] = mapped_column(JsonColumn)
    """All of them, by flat name."""
    settings_hash: Mapped[str] = mapped_column(String(64))
    pace_key: Mapped[str] = mapped_column(String(64))
    """Key of the steps that have to be measured for it."""
    status: Mapped[ForecastStatus] = mapped_column(
        text_enum(ForecastStatus), default=ForecastStatus.QUEUED, index=True
    )
    estimate: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    problem: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """Reason for no estimate, or that it cannot run (RFC 9457)."""


class Measurement(Timestamps, Base):
    """Measured step times of a worker's device. Reveals nothing about a dataset."""

    __tablename__ = "measurement"
    __table_args__ = (Index(None, "pace_key", "created_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("me"))
    pace_key: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(200))
    """Name of the device, with the number of threads of a CPU."""
    covers_images: Mapped[int]
    """The largest distilled set that it covers."""
    paces: Mapped[JsonObject] = mapped_column(JsonColumn)
    """As `iadd.forecast.arithmetic.DeviceBenchmark` reads it."""

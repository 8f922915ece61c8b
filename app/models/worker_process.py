from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.types import JsonColumn, UtcDateTime
from app.models.base import Base


class WorkerProcess(Base):
    """A worker process, as its heartbeat reports it every few seconds."""

    __tablename__ = "worker_process"

    id: Mapped[str] = mapped_column(String(300), primary_key=True)
    """`host:pid`: what the owners of its leases begin with."""
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    queues: Mapped[list[str]] = mapped_column(JsonColumn)
    device: Mapped[str] = mapped_column(String(200))
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """Of that device; a CPU has the memory of its machine, or of its container."""
    version: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    row_id: Mapped[str | None] = mapped_column(String(40), default=None)
    """The row that it works on."""
    row_since: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    refusal: Mapped[str | None] = mapped_column(String(32), default=None)
    """Why it takes no work: a value of `app.maintenance.admission.Refusal`."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.types import JsonColumn, JsonObject, UtcDateTime
from app.models.base import Base


class LedgerEvent(Base):
    """A read of the private images of a dataset, booked before it happened (docs/adr/031).

    Rows are added, and never changed or removed: what was read stays read, also once a
    distillation, or the images themselves, are deleted.
    """

    __tablename__ = "ledger_events"

    line_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    """The first version of the dataset: all versions show the same patients, and share a ledger."""
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Counts the events of a ledger, from 1."""
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    """The version that was read."""
    kind: Mapped[str] = mapped_column(String(16))
    """`budgeted`, `public` or `fatal` (`iadd.dp.ledger.Event`)."""
    purpose: Mapped[str] = mapped_column(Text)
    run: Mapped[str] = mapped_column(Text)
    """What depends on the answer."""
    mechanism: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """Kind, size and sampling rate of the noise, and never the noise itself."""
    count: Mapped[int]
    released: Mapped[float | None] = mapped_column(default=None)
    booked_at: Mapped[datetime] = mapped_column(UtcDateTime)

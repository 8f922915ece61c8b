from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import utc_now
from app.core.types import JsonColumn, JsonObject, UtcDateTime
from app.models.base import Base


class IdempotencyKey(Base):
    """The reply to a POST with this key, so that a repeated one changes nothing."""

    __tablename__ = "idempotency_key"

    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    reply: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)

import secrets
from datetime import datetime

from sqlalchemy import String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime
from app.models.base import Base, Timestamps


class Organisation(Timestamps, Base):
    __tablename__ = "organisation"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("org"))
    name: Mapped[str] = mapped_column(String(200), unique=True)
    contact: Mapped[str] = mapped_column(String(320), default="")
    """Contact address for other organisations."""
    policy: Mapped[JsonObject] = mapped_column(JsonColumn, default=dict)
    """Release policy beyond the portal's own rules
    (`app.organisations.release_policy`)."""
    quota: Mapped[JsonObject] = mapped_column(JsonColumn, default=dict)
    """Limits that the operator set for it; what is absent is the portal's default."""
    intake_key: Mapped[str] = mapped_column(
        String(64), default=lambda: secrets.token_hex(32), server_default=text("''")
    )
    """Secret of the hashes that stand for patients and file names, in hexadecimal."""
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """From then on its people cannot sign in, and its tokens are refused."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import UtcDateTime
from app.models.base import Base, Timestamps


class WebSession(Timestamps, Base):
    """A browser session. Deleted at sign-out."""

    __tablename__ = "web_session"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("ss"))
    user_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """Hash of the cookie's secret."""
    csrf_token: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """End of the session, however active it is."""
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Last request, exact to five minutes; a session that is idle too long has ended."""

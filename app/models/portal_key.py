from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Timestamps

ONLY = "portal"


class PortalKey(Timestamps, Base):
    """The portal's own Ed25519 key, by which other portals know it again. There is one row."""

    __tablename__ = "portal_key"

    id: Mapped[str] = mapped_column(String(10), primary_key=True, default=ONLY)
    public_key: Mapped[str] = mapped_column(String(100))
    sealed_private_key: Mapped[str]
    """Encrypted with the portal's secret."""

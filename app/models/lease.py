"""Columns of a row that one worker at a time works on."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.core.types import UtcDateTime


class Leased:
    """Lease of the row: owner, expiry, and the number of claims (the fencing token)."""

    lease_owner: Mapped[str | None] = mapped_column(default=None)
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    fence: Mapped[int] = mapped_column(default=0)
    takeovers: Mapped[int] = mapped_column(default=0)
    """Workers in a row that died over it without a checkpoint; too many, and the row fails."""

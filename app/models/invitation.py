from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.security import Role
from app.core.types import JsonColumn, UtcDateTime
from app.models.base import Base, Timestamps


class Invitation(Timestamps, Base):
    """A link to join an organisation or set a forgotten password."""

    __tablename__ = "invitation"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("in"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    email: Mapped[str] = mapped_column(String(320))
    role_names: Mapped[list[str]] = mapped_column(JsonColumn)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("person.id"), default=None)
    """The person whose password it sets; for a joining person None until accepted."""
    invited_by: Mapped[str] = mapped_column(String(200))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)

    @property
    def roles(self) -> tuple[Role, ...]:
        return tuple(Role(name) for name in self.role_names)

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.security import Permission, Role
from app.core.types import JsonColumn, UtcDateTime, text_enum
from app.models.base import Base, Timestamps


class Token(Timestamps, Base):
    """A person's token, which can do what they may do, or one of the organisation with a role."""

    __tablename__ = "token"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("tok"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("person.id"), index=True, default=None)
    made_with_id: Mapped[str | None] = mapped_column(
        ForeignKey("token.id", ondelete="CASCADE"), index=True, default=None
    )
    """The token that made it, and with which it goes: whoever stole that one may have this one."""
    name: Mapped[str] = mapped_column(String(200), default="")
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[Role | None] = mapped_column(text_enum(Role), default=None)
    """Role of an organisation token; a person's token has that person's roles."""
    scope_names: Mapped[list[str] | None] = mapped_column(JsonColumn, default=None)
    """None: everything that the role or the person may."""
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)

    @property
    def scopes(self) -> list[Permission] | None:
        if self.scope_names is None:
            return None
        return [Permission(name) for name in self.scope_names]

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, exists
from sqlalchemy.orm import Mapped, column_property, mapped_column

from app.core.ids import new_id
from app.core.security import Role
from app.core.types import JsonColumn, UtcDateTime
from app.models.base import Base, Timestamps
from app.models.second_factor import SecondFactor


class User(Timestamps, Base):
    """A person of one organisation."""

    # "user" is a word of PostgreSQL's own.
    __tablename__ = "person"
    __table_args__ = (UniqueConstraint("oidc_issuer", "oidc_subject"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("us"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    """In lower case: what the person signs in with."""
    name: Mapped[str] = mapped_column(String(200))
    role_names: Mapped[list[str]] = mapped_column(JsonColumn)
    password_hash: Mapped[str | None] = mapped_column(default=None)
    """Argon2; None until the invitation is accepted, and where only the identity provider knows."""
    oidc_issuer: Mapped[str | None] = mapped_column(String(500), default=None)
    oidc_subject: Mapped[str | None] = mapped_column(String(255), default=None)
    failed_sign_ins: Mapped[int] = mapped_column(default=0)
    """From devices that have not signed in before; `SignInFailures` counts each source."""
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Until then no such device is let in."""
    last_sign_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """From then on their sessions and tokens are refused. The row stays: the log refers to it."""

    has_second_factor: Mapped[bool] = column_property(
        exists()
        .where(SecondFactor.user_id == id, SecondFactor.confirmed_at.is_not(None))
        .correlate_except(SecondFactor),
        deferred=True,
    )
    """Whether a sign-in with the password asks for a code too."""

    @property
    def roles(self) -> tuple[Role, ...]:
        return tuple(Role(name) for name in self.role_names)

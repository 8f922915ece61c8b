from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from app.core.clock import utc_now
from app.core.schemas import Line, ReplyModel, RequestModel, Time
from app.core.security import Permission, Role


def _in_the_future(when: datetime) -> datetime:
    now = utc_now()
    if not now < when < now + timedelta(days=3660):
        raise ValueError("must lie in the future, within ten years")
    return when


FutureTime = Annotated[Time, AfterValidator(_in_the_future)]


class TokenCreate(RequestModel):
    name: Line | None = Field(default=None, description="Purpose of the token.")
    role: Role | None = Field(
        default=None,
        description="For a token of the organisation, which no person stands behind; only an "
        "admin makes these. Absent: your own, with what you may do.",
    )
    scopes: list[Permission] | None = Field(
        default=None,
        max_length=len(Permission),
        description="Narrows it to these. Absent: everything that the role, or you, may do.",
    )
    expires_at: FutureTime | None = Field(
        default=None,
        description="RFC 3339 with a time zone. Absent: it does not expire, "
        "or with the token that it is made with.",
    )


class TokenRead(ReplyModel):
    id: str
    created_at: datetime
    name: str
    user_id: str | None = Field(description="Whose it is; null for one of the organisation.")
    made_with_id: str | None = Field(
        description="The token that made it, and with which it is deleted; null for one that was "
        "made in a browser or by an operator."
    )
    role: Role | None
    scopes: list[Permission] | None
    expires_at: datetime | None
    last_used_at: datetime | None


class TokenCreated(TokenRead):
    secret: str = Field(description="Send it as `Authorization: Bearer …`. It is shown only here.")

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from app.core.clock import utc_now
from app.core.schemas import ReplyModel, RequestModel
from app.core.security import Role


def _in_the_future(when: datetime) -> datetime:
    now = utc_now()
    if not now < when < now + timedelta(days=3660):
        raise ValueError("must lie in the future, within ten years")
    return when


class TokenCreate(RequestModel):
    role: Role
    expires_at: Annotated[AwareDatetime, AfterValidator(_in_the_future)] | None = Field(
        default=None, description="RFC 3339 with a time zone. Absent: it does not expire."
    )


class TokenRead(ReplyModel):
    id: str
    created_at: datetime
    role: Role
    expires_at: datetime | None
    last_used_at: datetime | None


class TokenCreated(TokenRead):
    secret: str = Field(description="Send it as `Authorization: Bearer …`. It is shown only here.")

from datetime import datetime

from pydantic import Field

from app.auth.second_factor.schemas import Code
from app.core.schemas import ReplyModel, RequestModel
from app.core.security import Permission, Role
from app.users.schemas import Email, SentPassword


class SessionCreate(RequestModel):
    email: Email
    password: SentPassword
    code: Code | None = Field(
        default=None,
        description="Needed where the account has a second factor: the problem "
        "`second-factor-needed` says so.",
    )


class SessionRead(ReplyModel):
    """The caller's identity and permissions."""

    organisation_id: str
    organisation: str
    user_id: str | None = Field(description="Null for a token of the organisation itself.")
    name: str
    email: str | None
    roles: list[Role]
    permissions: list[Permission]
    csrf_token: str | None = Field(
        description="Send it as `X-CSRF-Token` with requests that change something; null for a "
        "token, which needs none."
    )
    expires_at: datetime | None
    drained_at: datetime | None = Field(
        default=None,
        description="Set: the operator updates the service; since then jobs wait, and go on by "
        "themselves afterwards.",
    )

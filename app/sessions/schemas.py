from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from app.core.passwords import MOST_CHARACTERS
from app.core.schemas import ReplyModel, RequestModel
from app.core.security import Permission, Role

SentPassword = Annotated[SecretStr, Field(min_length=1, max_length=MOST_CHARACTERS)]


class SessionCreate(RequestModel):
    email: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=320)]
    password: SentPassword


class SessionRead(ReplyModel):
    """Who is asking, and what they may do."""

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


class ForgottenPassword(RequestModel):
    email: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=320)]

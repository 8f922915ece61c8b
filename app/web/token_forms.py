"""Token forms, shared by the pages of personal and organisation tokens."""

from datetime import timedelta
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field

from app.core.clock import utc_now
from app.models.token import Token

LIFETIMES = ("7", "30", "90", "365", "never")
"""Days to choose from."""


class TokenForm(BaseModel):
    name: str = ""
    scopes: list[str] = Field(default_factory=list)
    days: Literal["7", "30", "90", "365", "never"] = "90"


class MadeToken(NamedTuple):
    token: Token
    secret: str


def fields_of(form: TokenForm) -> dict[str, object]:
    """As the body over REST has them."""
    never = form.days == "never"
    return {
        "name": form.name.strip() or None,
        "scopes": form.scopes or None,
        "expires_at": None if never else utc_now() + timedelta(days=int(form.days)),
    }

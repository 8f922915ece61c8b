from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, SecretStr, StringConstraints

from app.core.schemas import Line, ReplyModel, RequestModel

Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=2000)]


class ConnectionCreate(RequestModel):
    name: Line = Field(description="What you call the hub.")
    url: Url = Field(description="Its root, as in `https://hub.example`.")
    token: SecretStr = Field(
        min_length=1,
        max_length=200,
        description="Of your organisation at the hub, with the permission to share.",
    )


class ConnectionConfirm(RequestModel):
    fingerprint: str = Field(
        max_length=40, description="Of the hub's key, as the people who run it tell you."
    )


class ConnectionRead(ReplyModel):
    """A hub, without the token."""

    id: str
    created_at: datetime
    name: str
    url: str
    there: str = Field(description="Your organisation's name at the hub.")
    hub_key: str
    fingerprint: str = Field(description="Of the hub's key.")
    own_fingerprint: str = Field(
        description="Of the key that your organisation signs with: the hub shows the same."
    )
    confirmed_at: datetime | None = Field(
        description="Null: nothing is sent yet. Compare the hub's fingerprint."
    )
    paused_at: datetime | None
    seen_at: datetime | None = Field(description="Last contact.")
    version: str = Field(description="Of the hub, at the last contact.")
    problem: dict[str, Any] | None = Field(description="Why the last contact failed.")


class ConnectionsRead(ReplyModel):
    items: list[ConnectionRead]

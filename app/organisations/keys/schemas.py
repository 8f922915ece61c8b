from datetime import datetime

from pydantic import Field

from app.core.schemas import ReplyModel, RequestModel


class KeyRead(ReplyModel):
    id: str
    created_at: datetime
    public_key: str
    fingerprint: str = Field(description="To compare by telephone.")
    retired_at: datetime | None
    compromised: bool = Field(description="Somebody else may have had it: trust it no longer.")


class KeysRead(ReplyModel):
    items: list[KeyRead]


class KeyRotate(RequestModel):
    compromised: bool = Field(
        default=False,
        description="Somebody else may have the present key. The new one then cannot lean on it: "
        "recipients have to get it from you.",
    )

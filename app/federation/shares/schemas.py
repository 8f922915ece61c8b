from datetime import datetime
from typing import Any

from pydantic import Field

from app.core.schemas import ReplyModel, RequestModel
from app.models.share import ShareStatus


class ShareCreate(RequestModel):
    connection_id: str = Field(max_length=40)


class ShareRead(ReplyModel):
    """A release on its way to a hub."""

    id: str
    created_at: datetime
    updated_at: datetime
    release_id: str
    connection_id: str
    hub: str = Field(description="What the organisation calls the hub.")
    address: str = Field(description="Of the release at the hub, once it is there.")
    status: ShareStatus
    asked_by: str
    shared_at: datetime | None
    due_at: datetime = Field(description="Next try, where something is still to be sent.")
    problem: dict[str, Any] | None = Field(description="Why the last try failed, or was refused.")


class SharesRead(ReplyModel):
    items: list[ShareRead]

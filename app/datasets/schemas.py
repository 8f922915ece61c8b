from datetime import datetime
from typing import Any

from pydantic import Field

from app.core.schemas import Line, ReplyModel, RequestModel, Text
from app.models.dataset import DatasetStatus


class DatasetCreate(RequestModel):
    name: Line
    description: Text = ""


class DatasetRead(ReplyModel):
    id: str
    created_at: datetime
    updated_at: datetime
    name: str
    description: str
    status: DatasetStatus
    size: int | None = Field(description="Bytes of the archive.")
    sha256: str | None = Field(description="Of the archive, as it arrived.")
    classes: dict[str, dict[str, int]] | None = Field(
        description="Images per class and split, once it is ready."
    )
    problem: dict[str, Any] | None = Field(description="Why it was rejected (RFC 9457).")


class ThumbnailRead(ReplyModel):
    name: str
    href: str


class ThumbnailsRead(ReplyModel):
    items: list[ThumbnailRead]

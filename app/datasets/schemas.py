from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from app.core.schemas import Line, ReplyModel, RequestModel, Text
from app.models.dataset import DatasetStatus


class DatasetCreate(RequestModel):
    name: Line
    description: Text = ""
    previous_id: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = Field(
        default=None,
        description="An own dataset that this one is the next version of. It stays as it is.",
    )


class DatasetRead(ReplyModel):
    id: str
    created_at: datetime
    updated_at: datetime
    name: str
    description: str
    status: DatasetStatus
    size: int | None = Field(description="Bytes of the archive.")
    sha256: str | None = Field(description="SHA-256 of the archive as it arrived.")
    classes: dict[str, dict[str, int]] | None = Field(
        description="Images per class and split, once it is ready."
    )
    progress: dict[str, Any] | None = Field(
        description="Progress of its check while it runs: `phase`, `done`, `total`, `unit`."
    )
    problem: dict[str, Any] | None = Field(description="Why it was rejected (RFC 9457).")
    is_sample: bool = Field(
        description="The sample cohort: drawn by the portal, with no patients. Nothing that is "
        "learned from it holds for people, and it is not shared."
    )
    version: int = Field(description="Its place in its line of versions, from 1.")
    previous_id: str | None = Field(description="The version before it, where one is left.")
    next_id: str | None = Field(description="The version after it.")


class ThumbnailRead(ReplyModel):
    name: str
    href: str


class ThumbnailsRead(ReplyModel):
    items: list[ThumbnailRead]


class VersionsRead(ReplyModel):
    items: list[DatasetRead] = Field(description="The oldest first.")

from typing import Any

from pydantic import Field

from app.core.schemas import ReplyModel
from app.federation.schemas import SignedDocument
from app.models.publication import PublicationStatus

LARGEST_PART = 512 * 1024
"""Bytes, below the limit of any other body."""


class PublicationBegin(SignedDocument):
    """The signed statement of a release. Its bundle follows in parts."""


class PublicationRead(ReplyModel):
    release_id: str
    status: PublicationStatus
    size: int = Field(description="Bytes of its bundle.")
    received: int = Field(description="Bytes that are here: the next part begins there.")
    problem: dict[str, Any] | None = Field(description="Why it was refused.")

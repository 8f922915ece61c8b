from datetime import datetime

from pydantic import Field

from app.core.schemas import ReplyModel, RequestModel


class HomeKeyRead(ReplyModel):
    """The key that the organisation signs with in its own portal."""

    organisation_id: str
    public_key: str
    fingerprint: str = Field(description="To compare with the one that your own portal shows.")
    confirmed_at: datetime | None = Field(
        description="Null: releases signed with it are not shown yet. Compare the fingerprint."
    )
    confirmed_by: str


class HomeKeyConfirm(RequestModel):
    fingerprint: str = Field(
        max_length=40, description="As your own portal shows it: five groups of four."
    )

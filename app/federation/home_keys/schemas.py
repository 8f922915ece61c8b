from datetime import datetime

from pydantic import Field

from app.core.schemas import ReplyModel, RequestModel


class HomeKeyRead(ReplyModel):
    """The key that the organisation signs with in its own portal."""

    organisation_id: str
    public_key: str
    fingerprint: str = Field(description="To compare with the one that your own portal shows.")
    pending_key: str | None = Field(
        description="One that was sent since, and that nothing signed by the confirmed one leads "
        "to: it waits for a person, and changes nothing until then."
    )
    pending_fingerprint: str | None
    confirmed_at: datetime | None = Field(
        description="Null: releases signed with it are not shown yet. Compare the fingerprint."
    )
    confirmed_by: str


class HomeKeyConfirm(RequestModel):
    fingerprint: str = Field(
        max_length=40, description="As your own portal shows it: five groups of four."
    )

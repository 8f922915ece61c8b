from datetime import datetime
from typing import Any

from pydantic import Field

from app.core.schemas import ReplyModel
from app.models.audit_entry import Outcome


class AuditEntryRead(ReplyModel):
    number: int
    at: datetime
    actor: dict[str, Any]
    action: str
    subject: str | None
    outcome: Outcome
    details: dict[str, Any]
    previous_hash: str
    hash: str


class AuditPage(ReplyModel):
    items: list[AuditEntryRead]
    next_cursor: str | None = Field(
        description="Pass as `cursor` for the next page; null at the end."
    )

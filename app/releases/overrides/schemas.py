from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from app.core.schemas import Line, ReplyModel, RequestModel, Text
from app.models.release_override import OverrideStatus


class OverrideCreate(RequestModel):
    objections: Annotated[list[Line], Field(min_length=1, max_length=20)] = Field(
        description="Codes of the release policy's objections to waive for one release. Those that "
        "no policy could allow cannot be waived."
    )
    reason: Annotated[Text, StringConstraints(min_length=20, max_length=2000)] = Field(
        description="Published with the release. No word of patients."
    )


class OverrideRead(ReplyModel):
    id: str
    created_at: datetime
    updated_at: datetime
    distillation_id: str
    status: OverrideStatus
    objections: list[str]
    reason: str
    requested_by: str
    decided_by: str | None
    decided_at: datetime | None
    expires_at: datetime = Field(description="It cannot be decided or used afterwards.")
    release_id: str | None = Field(description="The release that was published by it.")

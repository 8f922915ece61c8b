from datetime import datetime

from pydantic import Field

from app.core.schemas import ReplyModel
from app.models.upload import UploadStatus


class UploadRead(ReplyModel):
    id: str
    created_at: datetime
    updated_at: datetime
    dataset_id: str
    filename: str | None = Field(description="As whoever began it called the file.")
    length: int = Field(description="Bytes of the whole archive.")
    offset: int = Field(description="Bytes that have arrived, and are kept.")
    status: UploadStatus
    expires_at: datetime = Field(description="Removal of the received bytes, if no more arrive.")

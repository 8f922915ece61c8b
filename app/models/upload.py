from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime, text_enum
from app.models.base import Base, Timestamps
from app.models.lease import Leased


class UploadStatus(StrEnum):
    RECEIVING = "receiving"
    FINISHING = "finishing"
    """Every byte is there; the archive is put in its place."""
    DONE = "done"
    ENDED = "ended"
    """By who sent it, or because its dataset takes no archive any more."""
    EXPIRED = "expired"


UNFINISHED = (UploadStatus.RECEIVING, UploadStatus.FINISHING)


class Upload(Leased, Timestamps, Base):
    """An archive that arrives, in pieces (tus 1.0) or in one request.

    Its bytes lie below its dataset's.
    """

    __tablename__ = "upload"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("up"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), index=True)
    length: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    """The offset: bytes that outlive a loss of power."""
    in_one_request: Mapped[bool] = mapped_column(default=False)
    """Sent by `PUT …/archive`: nobody can go on with it, so that it ends with its request."""
    sent_metadata: Mapped[str] = mapped_column(String(4000), default="")
    """`Upload-Metadata` as it was sent. It may hold a file's name: never in a log, and gone when
    the upload is over."""
    actor: Mapped[JsonObject] = mapped_column(JsonColumn)
    """{"user", "token", "name"} of who sent to it last: the archive arrives in that name."""
    status: Mapped[UploadStatus] = mapped_column(
        text_enum(UploadStatus), default=UploadStatus.RECEIVING, index=True
    )
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    """Moves on with each piece. Of one that is over: when its row goes."""
    purged_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Time at which its own folder was emptied after its end."""

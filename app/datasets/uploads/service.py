"""Uploads: create, check, end."""

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.clock import utc_now
from app.core.errors import Conflict, Problem, TooLarge
from app.core.security import Caller, Permission
from app.core.settings import Settings
from app.datasets import service as datasets
from app.datasets.uploads.protocol import InvalidMetadata, read_metadata
from app.datasets.uploads.repository import UploadRepository
from app.datasets.uploads.schemas import UploadRead
from app.idempotency import KeyReused
from app.models.upload import UNFINISHED, Upload, UploadStatus
from app.organisations.quotas import no_room
from app.organisations.repository import OrganisationRepository

MOST_UNFINISHED = 100
"""Uploads of one organisation. Each may hold a piece in memory and on disk not counted yet."""


class OffsetMismatch(Conflict):
    code = "upload-offset"
    title = "The offset does not match"


class UploadOver(Problem):
    status = 410
    code = "upload-over"
    title = "The upload has ended"


class UploadDone(Conflict):
    code = "upload-done"
    title = "The archive has arrived"


class UploadBusy(Problem):
    status = 423
    code = "upload-busy"
    title = "Another sender holds this upload"


class ChecksumMismatch(Problem):
    status = 460
    code = "upload-checksum-mismatch"
    title = "The checksum does not match"


class LengthExceeded(TooLarge):
    code = "upload-length-exceeded"
    title = "More bytes were sent than announced"


class SummedBodyTooLarge(TooLarge):
    code = "upload-summed-body"
    title = "The body is too large for a checksum"


class TooManyUploads(Conflict):
    code = "too-many-uploads"
    title = "The organisation has reached its limit of simultaneous uploads"


class SenderSilent(Problem):
    status = 408
    code = "upload-silent"
    title = "The sender was silent for too long"


def create(
    session: Session, caller: Caller, settings: Settings, *, length: int, sent_metadata: str
) -> Upload:
    """An upload, to which nothing has come yet.

    Raises InvalidMetadata, DatasetNotFound, NotAwaitingUpload, ArchiveTooLarge, StorageExceeded,
    TooManyUploads.
    """
    dataset_id = read_metadata(sent_metadata).get("dataset_id")
    if not dataset_id:
        raise InvalidMetadata(
            "Upload-Metadata names no dataset_id. No upload was begun. POST /api/v1/datasets "
            "makes a dataset, and its id belongs here in Base64."
        )
    room = datasets.expect_archive(session, caller, dataset_id)
    expect_size(settings, length)
    if length > room:
        raise no_room(room)
    expect_few(session, caller)
    upload = UploadRepository(session).add(
        Upload(
            organisation_id=caller.organisation_id,
            dataset_id=dataset_id,
            length=length,
            sent_metadata=sent_metadata,
            actor=actor_of(caller),
            expires_at=utc_now() + timedelta(days=settings.upload_days),
        )
    )
    record(session, caller, Action.UPLOAD_STARTED, upload.id, dataset=dataset_id, length=length)
    return upload


def expect_few(session: Session, caller: Caller) -> None:
    """Raises TooManyUploads."""
    # Locked, so that two that ask at once do not both see room for one more.
    OrganisationRepository(session).get(caller.organisation_id, lock=True)
    if UploadRepository(session).readable_by(caller).count_unfinished() >= MOST_UNFINISHED:
        raise TooManyUploads(
            f"{MOST_UNFINISHED} uploads of your organisation are unfinished, the most that may be "
            "at once. None was begun. Go on with one of them, or end one: GET /api/v1/uploads "
            "lists them.",
            limit=MOST_UNFINISHED,
        )


def expect_size(settings: Settings, length: int) -> None:
    """Raises EmptyArchive, ArchiveTooLarge."""
    if length == 0:
        raise datasets.empty_archive()
    if length > settings.max_archive_bytes:
        raise datasets.archive_too_large(settings.max_archive_bytes)


def expect_same(upload: UploadRead, *, length: int, sent_metadata: str) -> None:
    """Compare the headers of a repeated request, which its idempotency key does not cover.

    Raises KeyReused.
    """
    if (upload.length, upload.dataset_id) != (length, read_metadata(sent_metadata)["dataset_id"]):
        raise KeyReused(
            "Your organisation sent this key before with another request. Nothing was changed. "
            "Take a new random key for each new request."
        )


def get(session: Session, caller: Caller, upload_id: str) -> Upload:
    """One that is unfinished or has arrived. Raises UploadNotFound, UploadOver."""
    upload = UploadRepository(session).readable_by(caller).get(upload_id)
    expect_not_over(upload)
    return upload


def expect_not_over(upload: Upload) -> None:
    """Raises UploadOver."""
    if upload.status == UploadStatus.DONE:
        return
    if upload.status == UploadStatus.ENDED:
        raise UploadOver(
            "It was ended, or its dataset takes no archive any more. What had arrived was "
            "removed. POST /api/v1/uploads begins another."
        )
    if upload.status == UploadStatus.EXPIRED or upload.expires_at <= utc_now():
        raise UploadOver(
            "Nothing came for too long, and what had arrived was removed. The dataset still "
            "awaits its archive: POST /api/v1/uploads begins another upload."
        )


def end(session: Session, caller: Caller, settings: Settings, upload_id: str) -> Upload:
    """Raises UploadNotFound, UploadOver, UploadDone."""
    uploads = UploadRepository(session)
    upload = get(session, caller, upload_id)
    forget_at = utc_now() + timedelta(days=settings.upload_days)
    if upload.status not in UNFINISHED or not uploads.end(
        upload_id, UploadStatus.ENDED, forget_at=forget_at
    ):
        raise UploadDone(
            "The whole archive is here and belongs to its dataset. Nothing was changed. To remove "
            f"it: DELETE /api/v1/datasets/{upload.dataset_id}."
        )
    record(session, caller, Action.UPLOAD_ENDED, upload_id, received=upload.received)
    return upload


def actor_of(caller: Caller) -> dict[str, Any]:
    return {"user": caller.user_id, "token": caller.token_id, "name": caller.name}


def caller_of(upload: Upload) -> Caller:
    """The sender of the last bytes, for an archive that is completed later."""
    return Caller(
        organisation_id=upload.organisation_id,
        permissions=frozenset({Permission.UPLOAD}),
        roles=(),
        name=upload.actor["name"],
        user_id=upload.actor["user"],
        token_id=upload.actor["token"],
    )


def offset_mismatch(received: int) -> OffsetMismatch:
    return OffsetMismatch(
        f"{received} bytes are here and kept. Nothing of this request was taken. Go on from "
        "there; HEAD returns the offset.",
        offset=received,
        headers={"Upload-Offset": str(received)},
    )


def busy() -> UploadBusy:
    return UploadBusy(
        "Another request sends to this upload, or broke off a moment ago. What it sent is kept. "
        "Wait a few seconds, request the offset with HEAD, and continue from there.",
        headers={"Retry-After": "2"},
    )


def length_exceeded(length: int, received: int) -> LengthExceeded:
    return LengthExceeded(
        f"The archive was announced with {length} bytes, and more came. What was there before, "
        f"{received} bytes, is kept.",
        offset=received,
    )

"""tus 1.0.0 under /api/v1/uploads; `tus-js-client` and the like speak it."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from starlette.concurrency import run_in_threadpool

from app.auth.dependencies import ExpectStill, Uploader
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession, WriteSession
from app.core.schemas import PageRead, problems
from app.core.security import Permission
from app.datasets.uploads import service
from app.datasets.uploads.finish import finish
from app.datasets.uploads.protocol import (
    ALGORITHMS,
    CONTENT_TYPE,
    EXTENSIONS,
    FOLDER,
    LONGEST_METADATA,
    VERSION,
    Checksum,
    UnsupportedBody,
    expect_version,
    http_date,
    read_metadata,
)
from app.datasets.uploads.purge import purge_upload
from app.datasets.uploads.receive import expect_summable, receive, under_lease
from app.datasets.uploads.repository import UploadRepository
from app.datasets.uploads.schemas import UploadRead
from app.datasets.uploads.writer import Writer
from app.idempotency import RepeatableDep
from app.models.upload import Upload, UploadStatus

router = APIRouter(prefix="/uploads", tags=["uploads"])

LARGEST = 2**53
"""The largest integer that every client can represent."""


async def expect_tus(
    tus_resumable: Annotated[
        str | None, Header(description="Version of the protocol: 1.0.0.", max_length=200)
    ] = None,
) -> None:
    expect_version(tus_resumable)


SpeaksTus = Depends(expect_tus)


# Not an operation of generated clients, and it reveals no data.
@router.options("", status_code=204, include_in_schema=False)
def describe_uploads(portal: PortalDep) -> Response:
    """Protocol versions and extensions of this portal."""
    return Response(
        status_code=204,
        headers={
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
            "Tus-Max-Size": str(portal.settings.max_archive_bytes),
        },
    )


@router.post(
    "",
    status_code=201,
    dependencies=[SpeaksTus],
    responses=problems(400, 401, 403, 404, 409, 412, 413, 422, 507),
)
def create_upload(
    session: WriteSession,
    portal: PortalDep,
    caller: Uploader,
    repeatable: RepeatableDep,
    response: Response,
    upload_length: Annotated[int, Header(ge=0, le=LARGEST, description="Bytes of the archive.")],
    upload_metadata: Annotated[
        str,
        Header(
            max_length=LONGEST_METADATA,
            description="Pairs with commas between: a key, a space, its value in Base64. "
            "`dataset_id` says whose archive it is; `filename` is kept for the list.",
        ),
    ],
) -> UploadRead:
    """Begin an archive that arrives in pieces; send them to `Location`."""
    portal.reserve.expect(upload_length)
    upload = repeatable.once(
        session,
        caller,
        UploadRead,
        # Without the file's name, which would outlive the upload beside the idempotency key.
        lambda: read(
            service.create(
                session,
                caller,
                portal.settings,
                length=upload_length,
                sent_metadata=upload_metadata,
            )
        ).model_copy(update={"filename": None}),
    )
    service.expect_same(upload, length=upload_length, sent_metadata=upload_metadata)
    upload.filename = read_metadata(upload_metadata).get("filename")
    response.headers["Location"] = f"{FOLDER}/{upload.id}"
    response.headers["Upload-Expires"] = http_date(upload.expires_at)
    return upload


@router.get("", responses=problems(401, 403, 422))
def list_uploads(
    session: ReadSession, caller: Uploader, cursor: Cursor = None, limit: Limit = 50
) -> PageRead[UploadRead]:
    """The organisation's unfinished uploads, newest first."""
    page = UploadRepository(session).readable_by(caller).unfinished(cursor=cursor, limit=limit)
    return PageRead[UploadRead].of(page, items=[read(row) for row in page.items])


@router.head(
    "/{upload_id}",
    status_code=200,
    response_class=Response,
    dependencies=[SpeaksTus],
    responses=problems(401, 403, 404, 410, 412, 422),
)
def get_upload_offset(upload_id: str, session: ReadSession, caller: Uploader) -> Response:
    """The offset to continue from: `Upload-Offset`."""
    return Response(headers=headers_of(service.get(session, caller, upload_id), with_metadata=True))


@router.patch(
    "/{upload_id}",
    status_code=204,
    dependencies=[SpeaksTus],
    responses=problems(400, 401, 403, 404, 408, 409, 410, 412, 413, 415, 422, 423, 460, 507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The archive's bytes from the offset on.",
            "content": {CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def append_to_upload(
    upload_id: str,
    request: Request,
    portal: PortalDep,
    caller: Uploader,
    expect_still: ExpectStill,
    upload_offset: Annotated[int, Header(ge=0, le=LARGEST, description="Offset of the body.")],
    upload_checksum: Annotated[
        str | None,
        Header(
            max_length=200,
            description="`sha256` or `sha1`, a space, the body's sum in Base64: then it counts as "
            "a whole or not at all. Such a body may have 64 MiB.",
        ),
    ] = None,
    # Parts of HTTP itself, not of this operation: clients send them anyway.
    content_type: Annotated[str, Header(include_in_schema=False)] = "",
    content_length: Annotated[int | None, Header(ge=0, include_in_schema=False)] = None,
) -> Response:
    """Append bytes. With the last byte the archive is complete, and its check begins.

    A lost connection costs the last seconds only: HEAD gives the offset to continue from.
    """
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise UnsupportedBody(
            f"Send the bytes with `Content-Type: {CONTENT_TYPE}`. Nothing of the body was taken."
        )
    checksum = None if upload_checksum is None else Checksum.of(upload_checksum)
    done = await run_in_threadpool(_find_done, portal, caller, upload_id, upload_offset)
    if done is not None:
        return Response(status_code=204, headers=headers_of(done))
    writer = await run_in_threadpool(Writer.begin, portal, caller, upload_id, offset=upload_offset)
    try:
        left = writer.upload.length - writer.received
        if content_length is not None and content_length > left:
            raise service.length_exceeded(writer.upload.length, writer.received)
        expect_summable(writer, content_length or 0, checksum)
        sender_goes_on = partial(expect_still, Permission.UPLOAD)
        await receive(request, writer, portal.settings, checksum, expect_sender=sender_goes_on)
        status = None
        if writer.is_whole:
            turns = portal.finishing
            status = (await under_lease(writer, finish, writer, limiter=turns)).status
    finally:
        await run_in_threadpool(writer.close)
    upload = await run_in_threadpool(_read_upload, portal, caller, upload_id)
    headers = headers_of(upload)
    if status is not None:
        headers["Exchange-Dataset-Status"] = status.value
    return Response(status_code=204, headers=headers)


def _find_done(portal: PortalDep, caller: Uploader, upload_id: str, offset: int) -> Upload | None:
    """The upload, where the request is one whose reply was lost: every byte is here."""
    upload = _read_upload(portal, caller, upload_id)
    if upload.status != UploadStatus.DONE:
        return None
    if offset != upload.length:
        raise service.offset_mismatch(upload.length)
    return upload


def _read_upload(portal: PortalDep, caller: Uploader, upload_id: str) -> Upload:
    with portal.database.reading() as session:
        return service.get(session, caller, upload_id)


@router.delete(
    "/{upload_id}",
    status_code=204,
    dependencies=[SpeaksTus],
    responses=problems(401, 403, 404, 409, 410, 412, 422),
)
def delete_upload(upload_id: str, portal: PortalDep, caller: Uploader) -> Response:
    """End it, and remove the received bytes. The dataset still awaits its archive."""
    with portal.reserve.opened():
        with portal.database.transaction() as session:
            upload = service.end(session, caller, portal.settings, upload_id)
        # A portal that dies here has ended it already; the sweeper removes its bytes.
        purge_upload(portal.database, portal.storage, upload_id, upload.dataset_id)
    return Response(status_code=204)


def read(upload: Upload) -> UploadRead:
    return UploadRead(
        id=upload.id,
        created_at=upload.created_at,
        updated_at=upload.updated_at,
        dataset_id=upload.dataset_id,
        filename=read_metadata(upload.sent_metadata).get("filename"),
        length=upload.length,
        offset=upload.received,
        status=upload.status,
        expires_at=upload.expires_at,
    )


def headers_of(upload: Upload, *, with_metadata: bool = False) -> dict[str, str]:
    """Headers of a reply, optionally with those that the upload was created with."""
    headers = {
        "Upload-Offset": str(upload.received),
        "Exchange-Upload-Status": upload.status.value,
    }
    if upload.status != UploadStatus.DONE:
        headers["Upload-Expires"] = http_date(upload.expires_at)
    if with_metadata:
        headers |= {
            "Upload-Length": str(upload.length),
            "Upload-Metadata": upload.sent_metadata,
        }
    return headers

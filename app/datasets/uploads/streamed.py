"""`PUT …/archive`: the archive in one request, which arrives whole or leaves nothing.

It is an upload like one in pieces, so that it counts against the quota while it arrives, a silent
sender is let go, a sender who may send no longer is stopped, and what a killed portal left is
found. Nobody goes on with it, though: where its request ends too early, it ends.
"""

import logging
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from app.core.errors import Problem
from app.core.portal import Portal
from app.core.security import Caller
from app.datasets import service as datasets
from app.datasets.uploads import service
from app.datasets.uploads.finish import finish
from app.datasets.uploads.purge import forget_at, purge_upload
from app.datasets.uploads.receive import receive, under_lease
from app.datasets.uploads.repository import UploadRepository
from app.datasets.uploads.writer import Writer
from app.models.dataset import Dataset
from app.models.upload import Upload, UploadStatus
from app.organisations.quotas import no_room

logger = logging.getLogger(__name__)


class ArchiveSilent(service.SenderSilent):
    code = "archive-silent"


async def receive_archive(
    request: Request,
    portal: Portal,
    caller: Caller,
    dataset_id: str,
    *,
    length: int | None,
    expect_sender: Callable[[], None],
) -> Dataset:
    """Store the body as the dataset's archive, and begin its check.

    Args:
        request: Its body is the archive.
        portal: Stores it.
        caller: Who sends.
        dataset_id: Whose archive it is.
        length: Bytes that were announced; None where they were not.
        expect_sender: Raises when the sender may send no longer.

    Raises:
        Problem: DatasetNotFound, NotAwaitingUpload, EmptyArchive, ArchiveTooLarge, StorageExceeded,
            TooManyUploads, ArchiveSilent, DiscFull, or what `expect_sender` raises. Nothing is
            kept then.
    """
    writer, too_large = await run_in_threadpool(_begin, portal, caller, dataset_id, length)
    try:
        await receive(request, writer, portal.settings, None, expect_sender=expect_sender)
        if writer.received == 0:
            raise datasets.empty_archive()
        await under_lease(writer, writer.end_here)
        return await under_lease(writer, finish, writer, limiter=portal.finishing)
    except service.LengthExceeded:
        raise too_large from None
    except service.SenderSilent:
        raise ArchiveSilent(
            f"No byte came for {portal.settings.lease_seconds:.0f} seconds. Nothing was kept, and "
            "the dataset still awaits its archive. Send it again, or in pieces that can be "
            "continued: POST /api/v1/uploads.",
            headers={"Connection": "close"},
        ) from None
    finally:
        await run_in_threadpool(_close, writer)


def _begin(
    portal: Portal, caller: Caller, dataset_id: str, length: int | None
) -> tuple[Writer, Problem]:
    """The writer, and the answer to a body that is longer than it may be."""
    limit = portal.settings.max_archive_bytes
    with portal.database.transaction() as session:
        room = datasets.expect_archive(session, caller, dataset_id)
        too_large = datasets.archive_too_large(limit) if limit <= room else no_room(room)
        if length is not None and length > min(limit, room):
            raise too_large
        portal.reserve.expect(length or 0)
        service.expect_few(session, caller)
        upload = UploadRepository(session).add(
            Upload(
                organisation_id=caller.organisation_id,
                dataset_id=dataset_id,
                length=min(limit, room) if length is None else length,
                in_one_request=True,
                actor=service.actor_of(caller),
                expires_at=forget_at(portal),
            )
        )
        writer = Writer.take(session, portal, caller, upload)
    try:
        return writer.opened(), too_large
    except BaseException:
        _end(portal, upload)
        # The folder goes away under an upload when the dataset is deleted: then say that.
        with portal.database.reading() as session:
            datasets.expect_archive(session, caller, dataset_id)
        raise


def _close(writer: Writer) -> None:
    if writer.is_over:
        return writer.close()
    # First, so that nobody takes a whole one over whose sender is told that nothing was kept.
    _end_row(writer.portal, writer.upload)
    writer.close()
    _purge(writer.portal, writer.upload)


def _end(portal: Portal, upload: Upload) -> None:
    """End it, and remove what has arrived; the sweeper repeats what fails here."""
    _end_row(portal, upload)
    _purge(portal, upload)


def _end_row(portal: Portal, upload: Upload) -> None:
    with portal.database.transaction() as session:
        UploadRepository(session).end(upload.id, UploadStatus.ENDED, forget_at=forget_at(portal))


def _purge(portal: Portal, upload: Upload) -> None:
    purge_upload(portal.database, portal.storage, upload.id, upload.dataset_id)


def end_abandoned(portal: Portal) -> None:
    """End those whose request is over, since the portal that received it died."""
    with portal.database.reading() as session:
        abandoned = UploadRepository(session).abandoned_requests()
    for upload in abandoned:
        _end(portal, upload)
        logger.warning("upload %s: its portal is gone; what had arrived is removed", upload.id)

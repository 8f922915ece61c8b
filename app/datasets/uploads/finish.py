"""Completes an upload: computes its sum, places the archive and starts the check.

Every step can be repeated, by the request that brought the last byte, by one that is sent
again, or by a portal that finds the upload whole and nobody at it.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator

from app.datasets import service as datasets
from app.datasets.repository import DatasetRepository
from app.datasets.uploads import service
from app.datasets.uploads.part_store import PartsLost
from app.datasets.uploads.protocol import without_names
from app.datasets.uploads.purge import purge_upload
from app.datasets.uploads.repository import UploadRepository
from app.datasets.uploads.writer import Writer
from app.models.dataset import Dataset
from app.models.upload import UploadStatus


class Stopped(Exception):  # noqa: N818 (an event, not an error of the caller)
    """The portal ends; another one continues."""


def finish(writer: Writer, *, go_on: Callable[[], bool] = lambda: True) -> Dataset:
    """`finishing → done`, and the dataset's `awaiting_upload | rejected → checking`.

    The writer holds the lease, and every byte is counted.

    Raises LeaseLost, Stopped, OffsetMismatch, NotAwaitingUpload, DatasetNotFound, StorageExceeded.
    """
    portal, upload, parts = writer.portal, writer.upload, writer.open_parts
    with portal.database.reading() as session:
        # Before gigabytes are read.
        writer.expect_room(session, upload.length)
    digest = writer.digest if writer.digest is not None else hashlib.sha256()
    is_known = writer.digest is not None

    def pieces() -> Iterator[bytes]:
        for piece in parts.read(upload.length):
            if not go_on():
                raise Stopped
            if not is_known:
                digest.update(piece)
            writer.renew()
            yield piece

    try:
        if parts.copies:
            asyncio.run(portal.storage.put_stream(writer.key, _in_threads(pieces())))
        elif not is_known:
            for _ in pieces():
                pass
    except PartsLost as lost:
        writer.set_received(lost.held)
        raise service.offset_mismatch(lost.held) from lost
    archive = datasets.StoredArchive(writer.key, upload.length, digest.hexdigest())
    with portal.database.transaction() as session:
        # Locked in the same order as the deletion of a dataset with its uploads.
        DatasetRepository(session).readable_by(writer.caller).get(upload.dataset_id, lock=True)
        # Before the rest: what this upload holds counts as the archive from here on.
        UploadRepository(session).release(
            upload.id,
            fence=writer.fence,
            status=UploadStatus.DONE,
            sent_metadata=without_names(upload.sent_metadata),
        )
        dataset, replaced = datasets.accept_archive(
            session, writer.caller, upload.dataset_id, archive
        )
        parts.place(writer.key)
    writer.is_over = True
    if replaced is not None:
        portal.storage.delete(replaced)
    purge_upload(portal.database, portal.storage, upload.id, upload.dataset_id)
    return dataset


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    # obstore cannot be asked for an object by what it reads another one from.
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece

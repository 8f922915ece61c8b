"""Writes one upload: holds the lease, stores bytes, keeps the sum and the row's count.

The count moves only after the bytes outlive a loss of power, so that whoever goes on after a kill
at any moment begins where the row says, and what lies behind it is written over.
"""

import contextlib
import hashlib
import time
from datetime import timedelta
from typing import Self

from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.digests import Digest
from app.core.leases import LeaseLost
from app.core.portal import Portal
from app.core.security import Caller
from app.datasets import service as datasets
from app.datasets.uploads import service
from app.datasets.uploads.lease_owner import is_dead, this_process
from app.datasets.uploads.part_store import Parts, PartsBusy, PartsLost, folder_of, open_parts
from app.datasets.uploads.repository import UploadRepository
from app.models.upload import Upload, UploadStatus
from app.organisations.quotas import no_room


class Writer:
    """Holds the lease from `begin` to `close`. Its methods block; one thread at a time.

    Attributes:
        upload: The row as it was at the beginning.
        fence: Fencing token that each write to the row names.
        received: Bytes that are counted.
        position: Bytes that are written; those behind `received` may be dropped yet.
        digest: SHA-256 of the bytes up to `position`; None where they have to be read again.
    """

    def __init__(self, portal: Portal, caller: Caller, upload: Upload, fence: int) -> None:
        self.portal = portal
        self.caller = caller
        self.upload = upload
        self.fence = fence
        self.received = upload.received
        self.position = upload.received
        self.parts: Parts | None = None
        known = portal.digests.take(upload.id, upload.received)
        self.digest: Digest | None = hashlib.sha256() if upload.received == 0 else known
        self._counted_digest = None if self.digest is None else self.digest.copy()
        self._renewed = time.monotonic()
        self.is_over = False
        """The archive is in its place, and the lease is given back."""

    @classmethod
    def begin(cls, portal: Portal, caller: Caller, upload_id: str, *, offset: int) -> Self:
        """Take the lease, to write from `offset` on.

        Raises UploadNotFound, UploadOver, UploadBusy, OffsetMismatch, NotAwaitingUpload,
        DatasetNotFound, ArchiveTooLarge, DiscFull.
        """
        with portal.database.transaction() as session:
            upload = service.get(session, caller, upload_id)
            datasets.expect_archive(session, caller, upload.dataset_id)
            service.expect_size(portal.settings, upload.length)
            portal.reserve.expect(upload.length - upload.received)
            writer = cls.take(session, portal, caller, upload)
            if offset != writer.received:
                raise service.offset_mismatch(writer.received)
            actor = service.actor_of(caller)
            UploadRepository(session).write(upload_id, fence=writer.fence, actor=actor)
        return writer.opened()

    @classmethod
    def resume(cls, portal: Portal, upload_id: str) -> Self | None:
        """Take the lease of one that is whole; None where there is nothing to do."""
        with portal.database.transaction() as session:
            upload = UploadRepository(session).load(upload_id)
            if upload is None or upload.status != UploadStatus.FINISHING:
                return None
            writer = cls.take(session, portal, service.caller_of(upload), upload)
        return writer.opened()

    @classmethod
    def take(cls, session: Session, portal: Portal, caller: Caller, upload: Upload) -> Self:
        """Take the lease; `opened` follows after the commit. Raises UploadBusy."""
        uploads = UploadRepository(session)
        if upload.lease_owner is not None and is_dead(upload.lease_owner):
            uploads.expire_lease(upload.id, upload.lease_owner)
        seconds = portal.settings.lease_seconds
        fence = uploads.claim(upload.id, owner=this_process(), seconds=seconds)
        if fence is None:
            raise service.busy()
        current = uploads.load(upload.id)
        assert current is not None
        return cls(portal, caller, current, fence)

    def opened(self) -> Self:
        """Open its bytes, once the lease is committed. Raises UploadBusy, OffsetMismatch."""
        try:
            self.parts = open_parts(
                self.portal.storage,
                folder_of(self.upload.dataset_id, self.upload.id),
                start=self.received,
                fence=self.fence,
                goal=self.key,
            )
        except PartsBusy:
            self.close()
            raise service.busy() from None
        except PartsLost as lost:
            self.set_received(lost.held)
            self.close()
            raise service.offset_mismatch(lost.held) from lost
        except BaseException:
            self.close()
            raise
        return self

    @property
    def key(self) -> str:
        """Key of the archive. The same each time, so that completion can be repeated."""
        return f"datasets/{self.upload.dataset_id}/archive-{self.upload.id.removeprefix('up_')}"

    @property
    def open_parts(self) -> Parts:
        assert self.parts is not None
        return self.parts

    @property
    def is_whole(self) -> bool:
        return self.received == self.upload.length

    def append(self, content: bytes | bytearray) -> None:
        """Write, and do not count yet. Raises LengthExceeded."""
        if self.position + len(content) > self.upload.length:
            raise service.length_exceeded(self.upload.length, self.received)
        self.open_parts.append(self.position, content)
        if self.digest is not None:
            self.digest.update(content)
        self.position += len(content)

    def count(self) -> None:
        """A checkpoint: what was written is there to stay.

        Raises LeaseLost, StorageExceeded, NotAwaitingUpload, DatasetNotFound, DiscFull.
        """
        if self.position == self.received:
            return self.renew()
        self.portal.reserve.expect()
        self.open_parts.secure()
        settings = self.portal.settings
        with self.portal.database.transaction() as session:
            self.expect_room(session, self.position)
            whole = self.position == self.upload.length
            UploadRepository(session).write(
                self.upload.id,
                fence=self.fence,
                received=self.position,
                status=UploadStatus.FINISHING if whole else UploadStatus.RECEIVING,
                expires_at=utc_now() + timedelta(days=settings.upload_days),
                lease_expires_at=utc_now() + timedelta(seconds=settings.lease_seconds),
            )
        self._renewed = time.monotonic()
        self.received = self.position
        self._counted_digest = None if self.digest is None else self.digest.copy()

    def end_here(self) -> None:
        """No more bytes come, whatever length was expected. Raises LeaseLost."""
        with self.portal.database.transaction() as session:
            UploadRepository(session).write(
                self.upload.id,
                fence=self.fence,
                length=self.received,
                status=UploadStatus.FINISHING,
            )
        self.upload.length = self.received

    def expect_room(self, session: Session, size: int) -> None:
        """Raises StorageExceeded, NotAwaitingUpload, DatasetNotFound."""
        room = datasets.expect_archive(
            session, self.caller, self.upload.dataset_id, besides=self.upload.id
        )
        if size > room:
            raise no_room(room)

    def renew(self) -> None:
        """Keep the lease, if it is time to. Raises LeaseLost."""
        settings = self.portal.settings
        if time.monotonic() - self._renewed < settings.heartbeat_seconds:
            return
        with self.portal.database.transaction() as session:
            until = utc_now() + timedelta(seconds=settings.lease_seconds)
            UploadRepository(session).write(
                self.upload.id, fence=self.fence, lease_expires_at=until
            )
        self._renewed = time.monotonic()

    def drop(self) -> None:
        """Take back what was written and not counted."""
        self.open_parts.drop(self.received)
        self.position = self.received
        self.digest = None if self._counted_digest is None else self._counted_digest.copy()

    def set_received(self, held: int) -> None:
        """Fewer bytes are there than were counted."""
        with contextlib.suppress(LeaseLost), self.portal.database.transaction() as session:
            UploadRepository(session).write(
                self.upload.id, fence=self.fence, received=held, status=UploadStatus.RECEIVING
            )

    def close(self) -> None:
        """Let others write; safe to repeat."""
        if self.parts is not None:
            if self.position != self.received:
                # Uncounted bytes; the next writer would overwrite them anyway.
                with contextlib.suppress(OSError):
                    self.drop()
            self.parts.close()
            self.parts = None
            if self.digest is not None and not self.is_over:
                self.portal.digests.keep(self.upload.id, self.received, self.digest)
        if self.is_over:
            return
        with contextlib.suppress(LeaseLost), self.portal.database.transaction() as session:
            UploadRepository(session).release(self.upload.id, fence=self.fence)

"""Uploads that resume where they broke off, also in another run of the program (tus 1.0).

The portal says how many bytes it keeps, and the rest is sent from there. A line that breaks, a
portal that is started again, and one that is busy are waited for, each time longer, for as long as
nothing more arrives; whatever arrives begins the patience anew.
"""

import hashlib
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from app.client.addresses import id_of
from app.client.downloads import CHUNK, TransferListener
from app.client.errors import PortalError, UnreachableError
from app.client.models import Upload
from app.client.transport import Transport, parse

TUS = {"Tus-Resumable": "1.0.0"}
REQUEST_BYTES = 64 * 1024 * 1024
"""Bytes of one request: a proxy that buffers whole bodies buffers no more than this."""
PATIENCE = 3
"""Times as often as other requests are sent again."""
GONE = frozenset({404, 410})
GO_ON = frozenset({408, 423, 460, 500})
"""Statuses after which to fetch the offset and continue; 409 too, for a wrong offset."""


class UploadGoneError(PortalError):
    """The portal keeps nothing of it any more."""


@dataclass(frozen=True)
class UploadState:
    offset: int
    status: str
    """`receiving`, `finishing` or `done`."""


def begin(transport: Transport, dataset_id: str, archive: Path, *, key: str) -> Upload:
    """Announce an archive. Raises PortalError."""
    pairs = {"dataset_id": id_of(dataset_id), "filename": archive.name}
    metadata = ",".join(
        f"{name} {b64encode(text.encode(errors='replace')).decode()}"
        for name, text in pairs.items()
    )
    headers = {
        **TUS,
        "Upload-Length": str(archive.stat().st_size),
        "Upload-Metadata": metadata,
        "Idempotency-Key": key,
    }
    reply = transport.request("POST", "/uploads", headers=headers, repeatable=True)
    return parse(Upload, reply)


class Sender:
    """Sends one archive to one upload.

    Args:
        transport: The portal.
        upload_id: The upload to send to.
        archive: The file.
        on_progress: Told how many bytes are there or on their way, and how many there will be.
    """

    def __init__(
        self, transport: Transport, upload_id: str, archive: Path, on_progress: TransferListener
    ) -> None:
        self._transport = transport
        self._path = f"/uploads/{id_of(upload_id)}"
        self._archive = archive
        self._on_progress = on_progress
        self._size = archive.stat().st_size
        self._changed_at = archive.stat().st_mtime_ns
        self._digest = hashlib.sha256()
        self._summed = 0

    def send(self) -> str:
        """Send all missing bytes; returns the SHA-256 of the file.

        Raises:
            UploadGoneError: The portal keeps nothing of it: begin another.
            PortalError: It was refused, or broke off for too long. What arrived is kept.
            OSError: The archive cannot be read.
        """
        attempt, reached = 0, -1
        with self._archive.open("rb") as file:
            while True:
                waits = False
                try:
                    state = self._fetch_state()
                    if state.offset > reached:
                        attempt, reached = 0, state.offset
                    waits = state.status == "finishing"
                    if state.status != "done":
                        self._send_from(state.offset, file)
                    self._sum_up_to(self._size, file)
                    self._on_progress(self._size, self._size)
                    return self._digest.hexdigest()
                except PortalError as error:
                    if error.status in GONE:
                        raise UploadGoneError(str(error), error.status) from error
                    if not _may_go_on(error):
                        raise
                    # Placing an archive of gigabytes may take its time.
                    attempt += 0 if waits and error.status == httpx.codes.LOCKED else 1
                    pause = self._pause(max(attempt, 1))
                    if pause is None:
                        raise UnreachableError(
                            f"The upload broke off. {error} What has arrived is kept.", error.status
                        ) from error
                    time.sleep(pause)

    def _pause(self, attempt: int) -> float | None:
        retries = self._transport.retries
        if attempt >= PATIENCE * retries.attempts:
            return None
        return min(retries.first_pause * 2.0 ** (attempt - 1), retries.longest_pause)

    def _fetch_state(self) -> UploadState:
        try:
            reply = self._transport.request("HEAD", self._path, headers=TUS, repeatable=True)
        except PortalError as error:
            if error.status in (401, 403):
                # The reply to a HEAD has no body; this GET fails for the same reason and has one.
                self._transport.request("GET", "/uploads", params={"limit": 1})
            raise
        return _state_of(reply)

    def _send_from(self, offset: int, file: BinaryIO) -> None:
        """One request after the other, until the archive is in its place."""
        while True:
            end = min(offset + REQUEST_BYTES, self._size)
            reply = self._transport.request(
                "PATCH",
                self._path,
                content=self._pieces(offset, end, file),
                headers={
                    **TUS,
                    "Content-Type": "application/offset+octet-stream",
                    "Content-Length": str(end - offset),
                    "Upload-Offset": str(offset),
                },
                repeatable=False,
            )
            state = _state_of(reply)
            if state.status == "done":
                return
            if state.offset <= offset:
                raise UnreachableError("The portal took nothing of what was sent.")
            offset = state.offset

    def _pieces(self, start: int, end: int, file: BinaryIO) -> Iterator[bytes]:
        self._sum_up_to(start, file)
        self._on_progress(start, self._size)
        position = start
        while position < end:
            file.seek(position)
            piece = file.read(min(CHUNK, end - position))
            status = self._archive.stat()
            if not piece or (status.st_size, status.st_mtime_ns) != (self._size, self._changed_at):
                raise changed(self._archive)
            self._sum(position, piece)
            yield piece
            position += len(piece)
            self._on_progress(position, self._size)

    def _sum(self, start: int, piece: bytes) -> None:
        if start <= self._summed < start + len(piece):
            self._digest.update(piece[self._summed - start :])
            self._summed = start + len(piece)

    def _sum_up_to(self, end: int, file: BinaryIO) -> None:
        """Count bytes of earlier runs and repeated bytes once."""
        while self._summed < end:
            file.seek(self._summed)
            piece = file.read(min(CHUNK, end - self._summed))
            if not piece:
                raise changed(self._archive)
            self._sum(self._summed, piece)


def end(transport: Transport, upload_id: str) -> None:
    """Raises PortalError."""
    transport.request("DELETE", f"/uploads/{id_of(upload_id)}", headers=TUS)


def changed(archive: Path) -> PortalError:
    return PortalError(
        f"{archive.name} changed while it was sent, so it was not taken. Send it again once it is "
        "finished.",
        code="archive-changed",
    )


def _may_go_on(error: PortalError) -> bool:
    return error.is_temporary or error.status in GO_ON or error.code == "upload-offset"


def _state_of(reply: httpx.Response) -> UploadState:
    offset = reply.headers.get("Upload-Offset", "")
    if not (offset.isascii() and offset.isdecimal()):
        raise PortalError(
            "The server at this address takes no resumable uploads. Check the address (--portal).",
            reply.status_code,
        )
    return UploadState(int(offset[:19]), reply.headers.get("Exchange-Upload-Status", "receiving"))

"""Receives a request's body: a checkpoint every 8 MiB, and every heartbeat on a slow line.

What was counted stays when the line breaks, falls silent or the portal ends. A body that came with
a checksum counts as a whole or not at all.
"""

import asyncio
import hmac
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from app.core.leases import LeaseLost
from app.core.settings import Settings
from app.datasets.uploads import service
from app.datasets.uploads.protocol import Checksum
from app.datasets.uploads.writer import Writer

T = TypeVar("T")

CHECKPOINT_BYTES = 8 * 1024 * 1024
"""Bytes between checkpoints, and in memory per upload."""
LARGEST_SUMMED = 8 * CHECKPOINT_BYTES
"""A body with a checksum is counted at its end, so until then nothing else would keep it within the
organisation's room."""


class Body:
    """The request's body as it arrives, and the time since the last piece."""

    def __init__(self, request: Request, *, pause: float, patience: float) -> None:
        self._receive = request.receive
        self._pause = pause
        self._patience = patience
        self._heard = asyncio.get_running_loop().time()
        self._more = True

    async def next(self) -> bytes | None:
        """The next piece; empty where none came for a pause; None at the end.

        Raises ClientDisconnect, SenderSilent.
        """
        if not self._more:
            return None
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(self._pause):
                message = await self._receive()
        except TimeoutError:
            if now() - self._heard < self._patience:
                return b""
            # Half of a connection that the other side has left long ago, most likely: it must not
            # hold the upload against the one that the client has made since.
            raise service.SenderSilent(
                f"No byte came for {self._patience:.0f} seconds. What had come is kept. Ask for "
                "the offset with HEAD, and continue from there.",
                headers={"Connection": "close"},
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece: bytes = message.get("body", b"")
        self._more = message.get("more_body", False)
        if piece:
            self._heard = now()
        return piece


async def receive(
    request: Request,
    writer: Writer,
    settings: Settings,
    checksum: Checksum | None,
    *,
    expect_sender: Callable[[], None],
) -> None:
    """All of the body, written and counted, unless `expect_sender` raises meanwhile.

    Raises ClientDisconnect, SenderSilent, LengthExceeded, SummedBodyTooLarge, ChecksumMismatch,
    StorageExceeded, UploadBusy, UploadOver.
    """
    body = Body(request, pause=settings.heartbeat_seconds, patience=settings.lease_seconds)
    digest = None if checksum is None else checksum.begin()
    clock = asyncio.get_running_loop().time
    kept, saved_at = bytearray(), clock()

    def save(content: bytearray) -> None:
        expect_sender()
        if content:
            writer.append(content)
        if digest is None:
            writer.count()
        else:
            digest.update(content)
            writer.renew()

    try:
        while (piece := await body.next()) is not None:
            kept += piece
            expect_summable(writer, writer.position + len(kept) - writer.received, checksum)
            if len(kept) >= CHECKPOINT_BYTES or clock() - saved_at >= settings.heartbeat_seconds:
                full, kept = kept, bytearray()
                await under_lease(writer, save, full)
                saved_at = clock()
    except (ClientDisconnect, service.SenderSilent, asyncio.CancelledError):
        if checksum is None:
            await under_lease(writer, save, kept)
        raise
    await under_lease(writer, save, kept)
    if checksum is not None and digest is not None:
        if not hmac.compare_digest(digest.digest(), checksum.expected):
            await run_in_threadpool(writer.drop)
            raise service.ChecksumMismatch(
                "The sum of the body is another than its Upload-Checksum: it was changed on the "
                f"way. It was dropped; {writer.received} bytes are kept. Send it again.",
                offset=writer.received,
            )
        await under_lease(writer, writer.count)


def expect_summable(writer: Writer, size: int, checksum: Checksum | None) -> None:
    """Raises SummedBodyTooLarge."""
    if checksum is not None and size > LARGEST_SUMMED:
        raise service.SummedBodyTooLarge(
            f"A body with an Upload-Checksum may have {LARGEST_SUMMED} bytes at most. Nothing of "
            "it was taken. Send the archive in more pieces, or without checksums: the portal "
            "reports the SHA-256 of the whole.",
            offset=writer.received,
            limit=LARGEST_SUMMED,
        )


async def under_lease(
    writer: Writer,
    work: Callable[..., T],
    *arguments: object,
    limiter: CapacityLimiter | None = None,
) -> T:
    """Work of the writer, in a thread. Raises UploadBusy, UploadOver where the lease is lost."""
    try:
        return await to_thread.run_sync(partial(work, *arguments), limiter=limiter)
    except LeaseLost as lost:
        raise await run_in_threadpool(why_lost, writer) from lost


def why_lost(writer: Writer) -> Exception:
    try:
        with writer.portal.database.reading() as session:
            service.get(session, writer.caller, writer.upload.id)
    except Exception as reason:  # noqa: BLE001 (whatever it is, it is the answer)
        return reason
    return service.busy()

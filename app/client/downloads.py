"""Downloads that resume where they broke off, also in another run of the program.

What has arrived lies in `NAME.part`, and `NAME.part.json` says of what it is a part: the portal,
the path, and the ETag of the object. The rest is asked for with `Range` and `If-Range` (RFC 9110,
13.1.5), so that a portal that has another object by now sends that one whole.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from app.client.errors import PortalError, UnreachableError
from app.client.transport import Transport, unreachable

TransferListener = Callable[[int, int | None], None]
"""Told how many bytes are there, and how many there will be where that is known."""

CHUNK = 256 * 1024
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII)


def ignore_progress(done: int, total: int | None) -> None:
    """For who does not want to know."""


def download(
    transport: Transport,
    source: str,
    target: Path,
    *,
    sha256: str | None = None,
    on_progress: TransferListener = ignore_progress,
) -> None:
    """Write what is at a path of the portal to a file: all of it, or nothing.

    Args:
        transport: The portal.
        source: Path below /api/v1.
        target: The file; replaced at the end, if it is there.
        sha256: What the file must have, where the portal says it.
        on_progress: See `TransferListener`.

    Raises:
        PortalError: It was refused, broke off too often, or is not what it should be. After a
            broken connection what has arrived is kept; the same call goes on from there.
        OSError: The folder cannot be written to.
    """
    part = Part(target, {"portal": transport.url, "path": source})
    broken = 0
    while True:
        before = part.size
        try:
            _fetch(transport, source, part, on_progress)
            break
        except httpx.RequestError as error:
            # Counted anew whenever something came: a long download may break often.
            broken = 1 if part.size > before else broken + 1
            pause = transport.retries.pause(broken)
            if pause is None:
                raise _broken_off(error, part) from error
            time.sleep(pause)
    if sha256 is not None and part.sha256() != sha256:
        part.discard()
        raise PortalError(
            f"{target.name} is not the file that the portal has: its SHA-256 is another. It was "
            "removed. Download it again."
        )
    part.finish()


class Part:
    """The part that has arrived so far, and its object.

    Args:
        target: Path of the complete file.
        origin: Portal and path.
    """

    def __init__(self, target: Path, origin: dict[str, str]) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")
        self._origin = origin

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def etag(self) -> str | None:
        """ETag of the object, where a part can be continued."""
        try:
            note = json.loads(self._note.read_bytes())
            etag = note.pop("etag")
        except (OSError, ValueError, AttributeError, KeyError, TypeError):
            return None
        resumable = note == self._origin and isinstance(etag, str) and etag.isascii()
        return etag if resumable and etag.isprintable() and self.size > 0 else None

    def begin(self, etag: str | None) -> None:
        """Empty it, and note what will fill it."""
        # In this order: a stop in between leaves an empty part, never one of another object.
        self.path.write_bytes(b"")
        if etag is None:
            self._note.unlink(missing_ok=True)
        else:
            self._note.write_text(json.dumps({**self._origin, "etag": etag}))

    def sha256(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self) -> None:
        self.path.replace(self.target)
        self._note.unlink(missing_ok=True)


def _fetch(transport: Transport, source: str, part: Part, on_progress: TransferListener) -> None:
    """Fetch what is missing. Raises PortalError, and httpx.RequestError where it breaks off."""
    etag = part.etag()
    offset = 0 if etag is None else part.size
    # Ranges refer to the stored bytes: no proxy may send another encoding.
    headers = {"Accept-Encoding": "identity"}
    if etag is not None:
        headers |= {"Range": f"bytes={offset}-", "If-Range": etag}
    with transport.stream(source, headers) as reply:
        if reply.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if reply.headers.get("Content-Range") == f"bytes */{offset}":
                return  # every byte was there, and the run ended before it could say so
            part.discard()
            return _fetch(transport, source, part, on_progress)
        if reply.status_code == httpx.codes.PARTIAL_CONTENT:
            if _start(reply) != offset:
                part.discard()
                raise PortalError(
                    "The portal, or a proxy before it, sent another part than requested. "
                    "The received part was removed. Download it again."
                )
        else:
            offset = 0
            part.begin(_strong_etag(reply))
        length = reply.headers.get("Content-Length", "")
        total = offset + int(length) if length.isdecimal() else None
        # Neither side holds anything back: what has arrived is what a broken run leaves.
        with part.path.open("r+b", buffering=0) as file:
            file.seek(offset)
            on_progress(offset, total)
            for piece in reply.iter_raw():
                file.write(piece)
                offset += len(piece)
                on_progress(offset, total)


def _start(reply: httpx.Response) -> int | None:
    match = _CONTENT_RANGE.fullmatch(reply.headers.get("Content-Range", ""))
    return None if match is None else int(match[1])


def _strong_etag(reply: httpx.Response) -> str | None:
    etag: str = reply.headers.get("ETag", "")
    return etag if etag.startswith('"') else None


def _broken_off(error: httpx.RequestError, part: Part) -> PortalError:
    if part.etag() is None:
        return unreachable(error)
    return UnreachableError(
        f"The download broke off ({type(error).__name__}). What has arrived is kept in "
        f"{part.path}: download it again to continue from there."
    )

"""Sends a stored object, whole or one range of it, with an ETag (RFC 9110)."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.core.errors import Problem
from app.core.storage import Storage
from app.core.stored import gone

# A report is a page of its own with inline styles and pictures, and no script at all.
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
)
_CERTIFICATES = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "json": "application/json",
}
RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


class RangeNotSatisfiable(Problem):
    status = 416
    code = "range-not-satisfiable"
    title = "The range cannot be satisfied"


@dataclass(frozen=True)
class Delivery:
    """The bytes of an object that a reply delivers.

    Attributes:
        start: First byte.
        end: Byte after the last.
        size: Bytes of the whole object.
        partial: Whether the reply says that it is a range (206).
    """

    start: int
    end: int
    size: int
    partial: bool

    @property
    def begins(self) -> bool:
        """Whether the object is delivered from its first byte."""
        return self.start == 0


def certificate_headers(kind: str, name: str) -> tuple[str, dict[str, str]]:
    """Media type and headers of a privacy certificate; `name` is for the file that is saved."""
    headers = {"Content-Disposition": f'inline; filename="certificate-{name}.{kind}"'}
    if kind == "html":
        headers["Content-Security-Policy"] = REPORT_POLICY
    return _CERTIFICATES[kind], headers


async def send_object(
    request: Request,
    storage: Storage,
    key: str,
    *,
    media_type: str,
    headers: dict[str, str],
    before: Callable[[Delivery], object] | None = None,
) -> Response:
    """Send an object, or one range of it.

    Args:
        request: Its headers say what is wanted.
        storage: Where the object lies.
        key: Of the object.
        media_type: Of the reply.
        headers: More of its headers.
        before: Called before the first byte is sent, and never where none is: what it raises is
            the reply.

    Raises:
        ObjectGone: When it is not there.
        RangeNotSatisfiable: When the range lies beyond its end.
    """
    try:
        info = await run_in_threadpool(storage.info, key)
    except FileNotFoundError as error:
        raise gone() from error
    etag = f'"{info.etag}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        **headers,
    }
    known = [item.strip() for item in request.headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    delivery = _delivery(request, etag, info.size)
    start, end = delivery.start, delivery.end
    if delivery.partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{info.size}"
    headers["Content-Length"] = str(end - start)
    if before is not None and request.method != "HEAD":
        await run_in_threadpool(before, delivery)
    return StreamingResponse(
        storage.read(key, start, end),
        status_code=206 if delivery.partial else 200,
        headers=headers,
        media_type=media_type,
    )


def _delivery(request: Request, etag: str, size: int) -> Delivery:
    wanted = request.headers.get("range")
    # If-Range of another version: the range would be of an object that is no longer there.
    if wanted is not None and request.headers.get("if-range", etag) == etag:
        span = _parse_range(wanted, size)
        if span is not None:
            return Delivery(*span, size=size, partial=True)
    return Delivery(0, size, size=size, partial=False)


def _parse_range(text: str, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive); None for a header that may be ignored (several ranges)."""
    match = RANGE.fullmatch(text.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    if start >= end:
        raise RangeNotSatisfiable(
            f"The object has {size} bytes.", headers={"Content-Range": f"bytes */{size}"}
        )
    return start, end

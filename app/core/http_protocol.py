"""Limits on a request's headers, in time and in bytes: the server itself waits for them for ever.

A connection holds a descriptor and memory from its first byte on, before any middleware sees it.
"""

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from app.core.errors import Problem, RequestTooSlow

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol
else:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol
    except ImportError:  # the wheel of httptools is missing on this platform
        from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol

MOST_HEADER_BYTES = 64 * 1024


class HeadersTooLarge(Problem):
    status = 431
    code = "headers-too-large"
    title = "The request's headers are too large"


def protocol_within(seconds: float) -> type[asyncio.Protocol]:
    """The server's protocol; headers have to be complete after so many seconds."""
    return type("LimitedProtocol", (_LimitedProtocol,), {"seconds": seconds})


class _LimitedProtocol(Protocol):
    seconds: float
    _timer: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        awaits_headers = self._is_between_requests()
        before: object = self.cycle
        super().data_received(data)
        if not awaits_headers:
            return
        if self.cycle is not before:
            self._stop()
            return
        self._await_headers()
        self._header_bytes += len(data)
        if self._header_bytes > MOST_HEADER_BYTES:
            self._refuse(
                HeadersTooLarge(
                    f"Its headers have more than {MOST_HEADER_BYTES} bytes. Nothing was changed. "
                    "Send fewer or shorter ones."
                )
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _is_between_requests(self) -> bool:
        cycle: Any = self.cycle
        return cycle is None or cycle.response_complete

    def _await_headers(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self._end)

    def _stop(self) -> None:
        self._header_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        self._refuse(
            RequestTooSlow(
                f"Its headers were not complete after {self.seconds:g} seconds. Nothing was "
                "changed. Send it again."
            )
        )

    def _refuse(self, problem: Problem) -> None:
        self._stop()
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        body = json.dumps(problem.as_dict()).encode()
        status = HTTPStatus(problem.status)
        lines = [
            f"HTTP/1.1 {status.value} {status.phrase}",
            "content-type: application/problem+json",
            f"content-length: {len(body)}",
            "cache-control: no-store",
            "connection: close",
        ]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.transport.close()

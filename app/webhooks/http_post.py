"""Sends one POST to an untrusted receiver, at a checked address and within a time limit.

Redirects are not followed, proxies not used, and of the answer only the status is kept.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.models.webhook import DeliveryError
from app.webhooks.addresses import Address, Target

CONNECT_SECONDS = 5.0
"""For each address of a host."""
TOTAL_SECONDS = 15.0
MOST_BYTES = 4096
"""Bytes of an answer that are read and discarded, so that a receiver sees no broken line."""


@dataclass(frozen=True)
class Answer:
    status: int
    retry_after: timedelta | None
    """Pause that the receiver requests."""


class Undelivered(Exception):  # noqa: N818 (an event, not an error of the caller)
    def __init__(self, error: DeliveryError) -> None:
        super().__init__(error.value)
        self.error = error


def post(
    target: Target,
    addresses: Sequence[Address],
    body: bytes,
    headers: Mapping[str, str],
    *,
    total_seconds: float = TOTAL_SECONDS,
) -> Answer:
    """Send it to the first of the addresses that answers. Raises Undelivered."""
    connection = _Connection(target, addresses, time.monotonic() + total_seconds)
    try:
        with connection.cut_off_late():
            return _exchange(connection, target, body, headers)
    except ssl.SSLCertVerificationError:
        raise Undelivered(DeliveryError.CERTIFICATE) from None
    except (OSError, http.client.HTTPException) as error:
        if connection.is_late or isinstance(error, TimeoutError):
            raise Undelivered(DeliveryError.TIMEOUT) from None
        kind = DeliveryError.CONNECTION if isinstance(error, OSError) else DeliveryError.PROTOCOL
        raise Undelivered(kind) from None
    finally:
        connection.close()


def _exchange(
    connection: "_Connection", target: Target, body: bytes, headers: Mapping[str, str]
) -> Answer:
    sent = {"Host": target.host_header, "Connection": "close", **headers}
    connection.request("POST", target.path, body, sent)
    response = connection.getresponse()
    if connection.is_late:  # cut off within the headers, which the parser takes for their end
        raise TimeoutError
    retry_after = _seconds(response.getheader("Retry-After"))
    # Whatever happens to the rest of it: it has answered.
    with contextlib.suppress(OSError, http.client.HTTPException):
        response.read(MOST_BYTES)
    response.close()
    return Answer(response.status, retry_after)


def _seconds(header: str | None) -> timedelta | None:
    """Seconds of `Retry-After`; its date form is ignored."""
    if header is None or not (header.isascii() and header.isdigit() and len(header) < 9):
        return None
    return timedelta(seconds=int(header))


class _Connection(http.client.HTTPConnection):
    def __init__(self, target: Target, addresses: Sequence[Address], deadline: float) -> None:
        super().__init__(target.host, target.port)
        self._target = target
        self._addresses = addresses
        self._deadline = deadline
        self._line: socket.socket | None = None
        self.is_late = False

    def connect(self) -> None:
        line = self._line = self._reach()
        line.settimeout(self._left())
        if self._target.is_https:
            context = ssl.create_default_context()
            line = self._line = context.wrap_socket(
                line, server_hostname=self._target.host, do_handshake_on_connect=False
            )
            line.do_handshake()
        self.sock = line

    @contextlib.contextmanager
    def cut_off_late(self) -> Iterator[None]:
        """Break the line at the deadline.

        The timeout of a socket is for each read: who sends a byte now and then never meets it.
        """
        watch = threading.Timer(self._left(), self._cut)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()
            if self._line is not None and self.sock is None:
                self._line.close()

    def _reach(self) -> socket.socket:
        error: OSError = ConnectionError("no address")
        for address in self._addresses:
            seconds = min(CONNECT_SECONDS, self._left())
            try:
                # An address, so that nothing is looked up again.
                return socket.create_connection((str(address), self._target.port), seconds)
            except OSError as failed:
                error = failed
        raise error

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _cut(self) -> None:
        self.is_late = True
        if self._line is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)

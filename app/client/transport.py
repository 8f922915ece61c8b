"""HTTP transport to a portal: retries, idempotency and errors.

Sent again, a few times, is only what does no harm twice: what never left this machine, reads, and
requests with an `Idempotency-Key`. The portal does those once, however often they arrive.
"""

import email.utils
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from app.client.addresses import portal_address
from app.client.errors import PortalError, UnreachableError, problem_of

Row = TypeVar("Row", bound=BaseModel)

RETRIED = frozenset({429, 502, 503})
NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
PAGE = 100


@dataclass(frozen=True)
class Retries:
    """Number of attempts and the pauses between them.

    Attributes:
        attempts: Attempts of one request, the first included.
        first_pause: Seconds before the second; each pause is twice the one before.
        longest_pause: Seconds. For a longer `Retry-After` the caller decides.
    """

    attempts: int = 4
    first_pause: float = 0.25
    longest_pause: float = 30.0

    def pause(self, attempt: int, reply: httpx.Response | None = None) -> float | None:
        """Seconds until the attempt after this one (counted from 1); None: there is none."""
        if attempt >= self.attempts:
            return None
        asked = None if reply is None else retry_after(reply)
        seconds = self.first_pause * 2 ** (attempt - 1) if asked is None else asked
        return seconds if seconds <= self.longest_pause else None


@dataclass(frozen=True)
class Bounds:
    """What an answer may cost, of a portal that is not trusted.

    Attributes:
        seconds: From the request to the answer's last byte.
        most_bytes: Of the answer.
    """

    seconds: float
    most_bytes: int


class _Page(BaseModel):
    items: list[dict[str, Any]]
    next_cursor: str | None = None


class Transport:
    """One portal. Every method raises PortalError.

    Args:
        url: Root of the portal.
        token: Sent with every request; None for a session with a cookie.
        retries: Number of attempts and pauses.
        bounds: Of each answer; None: as long and large as it is.
    """

    def __init__(
        self, url: str, token: str | None, retries: Retries, *, bounds: Bounds | None = None
    ) -> None:
        if token is not None and not (token and token.isascii() and token.isprintable()):
            raise PortalError("That is not a token. Tokens begin with iadd_. Nothing was sent.")
        self.url = portal_address(url)
        self.retries = retries
        self._bounds = bounds
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"User-Agent": f"iadd-exchange/{_version()}"},
            timeout=httpx.Timeout(60, connect=10),
            # A proxy of the environment is for the world outside, never for this machine.
            mounts={f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")},
        )
        if token is not None:
            self._http.headers["Authorization"] = f"Bearer {token}"

    def send_along(self, name: str, value: str) -> None:
        """Send this header with every request from now on."""
        self._http.headers[name] = value

    def close(self) -> None:
        self._http.close()

    def read(self, path: str, row: type[Row], params: Mapping[str, Any] | None = None) -> Row:
        return parse(row, self.request("GET", path, params=params))

    def rows(
        self, path: str, row: type[Row], params: Mapping[str, Any] | None = None
    ) -> Iterator[Row]:
        """Every row of a list; a page is asked for when its first row is."""
        cursor: str | None = None
        while True:
            page = self.read(path, _Page, {"limit": PAGE, **(params or {}), "cursor": cursor})
            for item in page.items:
                yield _validated(row, item)
            cursor = page.next_cursor
            if cursor is None:
                return

    def post(
        self, path: str, row: type[Row], body: Mapping[str, Any] | None = None, *, once: bool
    ) -> Row:
        """Send a POST.

        Args:
            path: Path below the API's root.
            row: Type of the reply.
            body: JSON; an empty object where there is nothing to say.
            once: True where the portal takes an `Idempotency-Key`, so that it may be sent again.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())} if once else {}
        reply = self.request("POST", path, json=dict(body or {}), headers=headers, repeatable=once)
        return parse(row, reply)

    def request(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool | None = None,
        params: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """One request, and again where that is safe. The reply's status is 200 to 299."""
        known = {name: value for name, value in (params or {}).items() if value is not None}
        request = self._http.build_request(method, path, params=known or None, **options)
        reply = self._send(
            request, repeatable=method == "GET" if repeatable is None else repeatable
        )
        if reply.is_error:
            raise problem_of(reply.status_code, reply.content)
        return reply

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """A GET whose body is read by the caller; 416 is a reply here, other errors are raised.

        What breaks while the caller reads is raised as httpx raises it.
        """
        request = self._http.build_request("GET", path, headers=dict(headers))
        reply = self._send(request, repeatable=True, stream=True)
        try:
            if reply.is_error and reply.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                try:
                    content = reply.read()
                except httpx.RequestError as error:
                    raise unreachable(error) from error
                raise problem_of(reply.status_code, content)
            yield reply
        finally:
            reply.close()

    def _send(
        self, request: httpx.Request, *, repeatable: bool, stream: bool = False
    ) -> httpx.Response:
        attempt = 0
        while True:
            attempt += 1
            try:
                if self._bounds is None:
                    reply = self._http.send(request, stream=stream)
                else:
                    reply = _within(self._bounds, self._http, request)
            except httpx.RequestError as error:
                sent = not isinstance(error, NOTHING_SENT)
                pause = None if _is_distrust(error) else self.retries.pause(attempt)
                if pause is None or (sent and not repeatable):
                    raise unreachable(error, done=None if sent and not repeatable else False) from (
                        error
                    )
            else:
                if reply.is_redirect:
                    reply.close()
                    raise _elsewhere(reply)
                pause = self.retries.pause(attempt, reply)
                if reply.status_code not in RETRIED or not repeatable or pause is None:
                    return reply
                reply.close()
            time.sleep(pause)


def _within(bounds: Bounds, http: httpx.Client, request: httpx.Request) -> httpx.Response:
    """The whole answer, read as long as it stays in its bounds. Raises httpx.RequestError."""
    ends_at = time.monotonic() + bounds.seconds
    reply = http.send(request, stream=True)
    try:
        content = bytearray()
        for piece in reply.iter_bytes():
            content += piece
            if len(content) > bounds.most_bytes:
                raise httpx.ReadError("the answer is too large", request=request)
            if time.monotonic() > ends_at:
                raise httpx.ReadTimeout("the answer takes too long", request=request)
    finally:
        reply.close()
    headers = [
        (name, value)
        for name, value in reply.headers.multi_items()
        if name not in ("content-encoding", "content-length", "transfer-encoding")
    ]
    return httpx.Response(
        reply.status_code, headers=headers, content=bytes(content), request=request
    )


def parse(row: type[Row], reply: httpx.Response) -> Row:
    """Parse a reply. Raises PortalError where the answer is not a portal's."""
    try:
        return row.model_validate_json(reply.content)
    except ValidationError as error:
        raise _no_portal(reply.status_code) from error


def _validated(row: type[Row], item: Mapping[str, Any]) -> Row:
    try:
        # As JSON: what came as a text may be a time.
        return row.model_validate(item)
    except ValidationError as error:
        raise _no_portal(httpx.codes.OK) from error


def retry_after(reply: httpx.Response) -> float | None:
    """Seconds of `Retry-After` in either form (RFC 9110, 10.2.3)."""
    text = reply.headers.get("Retry-After", "").strip()
    if text.isdecimal() and text.isascii():
        return float(text[:9])
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def unreachable(error: httpx.RequestError, *, done: bool | None = False) -> PortalError:
    """Explain a broken connection to the user; `done` None: unknown."""
    if _is_distrust(error):
        return PortalError(
            "The portal's certificate is not one that this machine trusts. Nothing was sent. If "
            "your hospital has an authority of its own, name its file in SSL_CERT_FILE."
        )
    message = f"The portal does not answer ({type(error).__name__})."
    if done is None:
        return UnreachableError(
            f"{message} The request may have been carried out: check before you repeat it."
        )
    return UnreachableError(f"{message} Try again.")


def _is_distrust(error: httpx.RequestError) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def _elsewhere(reply: httpx.Response) -> PortalError:
    location = httpx.URL(reply.headers.get("Location", ""))
    where = f"{location.scheme}://{location.netloc.decode('ascii', 'replace')}"
    known = where if location.is_absolute_url and where.isprintable() else "somewhere else"
    return PortalError(
        f"The portal's address leads to {known}. A token goes to no other place than was named: "
        "name that one (--portal) if it is the portal's.",
        reply.status_code,
    )


def _no_portal(status: int) -> PortalError:
    return PortalError(
        "The server at this address is not a portal, or is too new for this program. "
        "Check the address (--portal).",
        status,
    )


def _version() -> str:
    try:
        return version("iadd-exchange")
    except PackageNotFoundError:
        return "0"

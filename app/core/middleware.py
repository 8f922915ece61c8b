"""Limits and headers that every request and reply share (plain ASGI: streams pass untouched)."""

import asyncio
import hashlib
import re
import time
from collections.abc import Iterator

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import Problem, RequestTooSlow, TooLarge, TooManyRequests
from app.core.ids import new_id
from app.core.log_context import log_context
from app.core.metrics import Metrics
from app.core.portal import Portal
from app.core.problem_handlers import reply
from app.core.ratelimit import address_of

STREAMED = (("PUT", re.compile(r".+/archive")), ("PATCH", re.compile(r"/api/v1/uploads/[^/]+")))
"""The requests whose body may be large; their endpoints count for themselves."""


def is_streamed(scope: Scope) -> bool:
    return any(
        scope["method"] == method and path.fullmatch(scope["path"]) for method, path in STREAMED
    )


class BodyLimit:
    """Reads the whole body, which is JSON, before the endpoint does, up to limits."""

    def __init__(self, app: ASGIApp, limit: int, seconds: float) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_streamed(scope):
            return await self._app(scope, receive, send)
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > self._limit:
            return await self._refuse(self._too_large(), scope, receive, send)
        try:
            # All of it, not each piece: one byte now and then would go on for ever.
            async with asyncio.timeout(self._seconds):
                body = await self._read(receive)
        except TimeoutError:
            return await self._refuse(self._too_slow(), scope, receive, send)
        except TooLarge as problem:
            return await self._refuse(problem, scope, receive, send)
        if body is None:
            return None

        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The body; None where the client went away. Raises TooLarge."""
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"A JSON body may have {self._limit} bytes at most. Nothing was changed.",
            limit=self._limit,
        )

    def _too_slow(self) -> RequestTooSlow:
        return RequestTooSlow(
            f"Its body was not complete after {self._seconds:g} seconds. Nothing was changed. Send "
            "it again."
        )

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        response = reply(HTTPConnection(scope), problem.as_dict(), {"Connection": "close"})
        await response(scope, receive, send)


class RequestLimit:
    """Counts the requests of each address, and of each caller wherever they come from.

    By the address too, because a token or cookie that nobody has checked yet can be a new one each
    time.
    """

    def __init__(self, app: ASGIApp, portal: Portal) -> None:
        self._app = app
        self._limiter = portal.limiter
        self._rate = portal.settings.request_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                for who in _who(scope):
                    self._limiter.count(self._rate, "request", who)
            except TooManyRequests as problem:
                response = reply(HTTPConnection(scope), problem.as_dict(), problem.headers)
                return await response(scope, receive, send)
        await self._app(scope, receive, send)


def _who(scope: Scope) -> Iterator[str]:
    yield address_of(HTTPConnection(scope))
    headers = Headers(scope=scope)
    secret = headers.get("authorization") or headers.get("cookie")
    if secret is not None:
        yield hashlib.sha256(secret.encode()).hexdigest()


HEAD_IS_OTHERS = re.compile(r"/api/.*|/static/.*|/releases/[^/]+/bundle")
"""Addresses that answer HEAD themselves or not at all: a bundle's GET counts as its delivery."""


class HeadOfPages:
    """Answers HEAD to a page or a probe as GET; the server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and scope["method"] == "HEAD"
            and not HEAD_IS_OTHERS.fullmatch(scope["path"])
        ):
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


class TrailingSlash:
    """Leads from `/datasets/` to `/datasets`, within whatever host the browser has."""

    PATH = re.compile(r"((?:/[A-Za-z0-9_-]+)+)/+")
    """Words alone: a path that a browser takes for another host is none of them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_read = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if is_read and (path := self.PATH.fullmatch(scope["path"])) is not None:
            query = scope["query_string"].decode("latin-1")
            response = RedirectResponse(path[1] + (f"?{query}" if query else ""), 307)
            return await response(scope, receive, send)
        await self._app(scope, receive, send)


class SafeHeaders:
    """Replies are private, and never anything that a browser could be made to run."""

    DEFAULTS = (
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    )

    HTTPS = ("Strict-Transport-Security", "max-age=31536000")
    """A year. Without the subdomains, which are not the portal's to decide about."""

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self._app = app
        self._headers = (*self.DEFAULTS, self.HTTPS) if is_https else self.DEFAULTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers:
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


class RequestIds:
    """Gives each request an id, for the lines that are logged meanwhile and for its reply.

    The id is always ours: one that was sent could name a patient, or be somebody else's.
    """

    HEADER = "X-Request-ID"

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_id = new_id("rq")

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[self.HEADER] = request_id
            await send(message)

        with log_context(request_id=request_id):
            await self._app(scope, receive, with_id)


class RequestMetrics:
    """Counts requests and measures the time to the first byte, by operation."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began = time.perf_counter()

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.observe_request(
                    method=scope["method"],
                    operation=_operation(scope),
                    status=message["status"],
                    seconds=time.perf_counter() - began,
                )
            await send(message)

        await self._app(scope, receive, observed)


def _operation(scope: Scope) -> str:
    """The operation's name: one time series an operation, not one an id."""
    return getattr(scope.get("endpoint"), "__name__", "none")

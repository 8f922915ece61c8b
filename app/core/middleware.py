"""Limits and headers that every request and reply share (plain ASGI: streams pass untouched)."""

import hashlib
import re
import time
from collections.abc import Iterator

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import TooLarge, TooManyRequests
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
    """Reads the whole body, which is JSON, before the endpoint does, up to a limit."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_streamed(scope):
            return await self._app(scope, receive, send)
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > self._limit:
            return await self._refuse(scope, receive, send)
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                return await self._refuse(scope, receive, send)

        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, replay, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = TooLarge(
            f"A JSON body may have {self._limit} bytes at most. Nothing was changed.",
            limit=self._limit,
        )
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


class SafeHeaders:
    """Replies are private, and never anything that a browser could be made to run."""

    DEFAULTS = (
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.DEFAULTS:
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


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

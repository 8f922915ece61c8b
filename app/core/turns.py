"""Lets as many requests run as there are threads for, and as many wait as can soon be served.

Beyond that a request is refused at once: an answer after a minute helps nobody. Requests that write
take turns at the database, so they wait in a queue of their own, and readers never behind them.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import Problem
from app.core.middleware import is_streamed
from app.core.problem_handlers import reply

READERS = 28
WRITERS = 12
"""Together the threads that the server has for requests."""
MOST_WAITING = 120
"""In each queue: a few seconds' work on busy cores."""
WAIT_SECONDS = 10.0
RETRY_SECONDS = 2

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_WRITTEN_DOWN = re.compile(
    r"(/api/v1)?/(datasets/[^/]+/(quality.*|thumbnails/.+|.+/picture)"
    r"|distillations/[^/]+/(report.*|certificate.*|bundle)"
    r"|releases/[^/]+/bundle)"
)
"""Reads that the audit log records: they write too."""
_FREE = re.compile(r"/(healthz|readyz|metrics|static/.*)")
"""They need no thread of requests, and are most needed when everything waits."""


class Overloaded(Problem):
    status = 503
    code = "overloaded"
    title = "The portal has more to do than it can"


class Turns:
    """Gives turns, in the order of asking. Used from one event loop."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Wait for a turn. Raises Overloaded."""
        if self._free > 0:
            self._free -= 1
            return
        if len(self._waiting) >= MOST_WAITING:
            raise _overloaded()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.give_back()  # it came at the same moment
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise _overloaded() from None
            raise

    def give_back(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class TakeTurns:
    """Runs a request when it is its turn, which ends as its reply begins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._readers, self._writers = Turns(READERS), Turns(WRITERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        turns = self._turns(scope)
        if turns is None:
            return await self._app(scope, receive, send)
        try:
            await turns.take()
        except Overloaded as problem:
            response = reply(HTTPConnection(scope), problem.as_dict(), problem.headers)
            return await response(scope, receive, send)
        give_back = _once(turns.give_back)

        async def send_and_end(message: Message) -> None:
            # What follows, a download or events, is sent without a thread.
            give_back()
            await send(message)

        try:
            await self._app(scope, receive, send_and_end)
        finally:
            give_back()

    def _turns(self, scope: Scope) -> Turns | None:
        if scope["type"] != "http" or is_streamed(scope) or _FREE.fullmatch(scope["path"]):
            return None
        reads = scope["method"] in _SAFE and not _WRITTEN_DOWN.fullmatch(scope["path"])
        return self._readers if reads else self._writers


def _once(work: Callable[[], None]) -> Callable[[], None]:
    done = False

    def run() -> None:
        nonlocal done
        if not done:
            done = True
            work()

    return run


def _overloaded() -> Overloaded:
    return Overloaded(
        "More requests wait than the portal can soon answer. This one was not begun and changed "
        f"nothing. Try again in {RETRY_SECONDS} s; if it stays so, tell the operator.",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )

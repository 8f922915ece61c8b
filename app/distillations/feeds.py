"""Event streams of one portal: one poll for each distillation, shared by all who follow it.

However many look, the database answers one query an interval and distillation, and one check an
interval and credential. These have threads of their own, so that streams hold up no other request.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from app.core.db import Database
from app.core.errors import Problem, TooManyRequests
from app.core.security import Caller
from app.distillations.repository import DistillationRepository
from app.models.event import Event

T = TypeVar("T")

MOST_OF_CALLER = 20
MOST_OF_ORGANISATION = 200
THREADS = 4
KEPT_EVENTS = 500
"""Whoever is further behind reads the database alone."""
CHECK_SECONDS = 1.0
"""Who may not read any more hears nothing after so long."""


class TooManyStreams(TooManyRequests):
    code = "too-many-streams"
    title = "Too many event streams are open"


class Feed:
    """The newest events of a distillation, polled while somebody follows it."""

    def __init__(self, feeds: "Feeds", distillation_id: str) -> None:
        self._feeds = feeds
        self._id = distillation_id
        self._recent: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._begins_after: int | None = None
        """Id of the last event that is not among the recent ones; None before the first poll."""
        self._ended = False
        self._changed = asyncio.Event()
        self.viewers = 0
        self.task = asyncio.create_task(self._poll())

    async def after(self, event_id: int) -> tuple[Sequence[Event], bool]:
        """The events after one, and whether none can follow; waits a while for the first."""
        if self._begins_after is not None:
            if event_id < self._begins_after:
                return await self._feeds.in_thread(self._read, event_id)
            events = [event for event in self._recent if event.id > event_id]
            if events or self._ended:
                return events, self._ended
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            pass
        return (), False

    async def _poll(self) -> None:
        last = await self._feeds.in_thread(self._newest)
        self._begins_after = last
        while True:
            events, ended = await self._feeds.in_thread(self._read, last)
            for event in events:
                if len(self._recent) == KEPT_EVENTS:
                    self._begins_after = self._recent[0].id
                self._recent.append(event)
                last = event.id
            self._ended = ended and not events
            self._changed.set()
            self._changed = asyncio.Event()
            if not events:
                await asyncio.sleep(self._feeds.poll_seconds)

    def _newest(self) -> int:
        with self._feeds.database.reading() as session:
            return DistillationRepository(session).events.newest(self._id)

    def _read(self, after: int) -> tuple[Sequence[Event], bool]:
        """Read the next events, and whether more can follow, in one snapshot."""
        with self._feeds.database.reading() as session:
            distillations = DistillationRepository(session)
            distillation = distillations.load(self._id)
            ended = distillation is None or distillation.status.is_final
            return distillations.events.after(self._id, after), ended


class Feeds:
    """All feeds of this portal. Used from its event loop alone.

    Args:
        database: Where events are.
        poll_seconds: From one poll of a feed to the next.
    """

    def __init__(self, database: Database, poll_seconds: float) -> None:
        self.database = database
        self.poll_seconds = poll_seconds
        self._feeds: dict[str, Feed] = {}
        self._open: Counter[str] = Counter()
        self._checked: dict[str, float] = {}
        self._threads: CapacityLimiter | None = None

    async def in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        if self._threads is None:
            self._threads = CapacityLimiter(THREADS)
        return await to_thread.run_sync(partial(work, *arguments), limiter=self._threads)

    def take_place(self, caller: Caller) -> Callable[[], None]:
        """Count a stream of this caller; gives what takes it back. Raises TooManyStreams."""
        who = caller.user_id or caller.token_id or caller.name
        places = {f"caller {who}": MOST_OF_CALLER}
        places[f"organisation {caller.organisation_id}"] = MOST_OF_ORGANISATION
        for name, most in places.items():
            if self._open[name] >= most:
                raise TooManyStreams(
                    f"{most} event streams are open, the most of one {name.split()[0]}. This one "
                    "was not opened; the distillation goes on. Close another one, or GET "
                    "/api/v1/distillations/… now and then.",
                    headers={"Retry-After": "30"},
                    limit=most,
                )
        self._open.update(places.keys())

        def give_back() -> None:
            self._open.subtract(places.keys())
            self._open = +self._open

        return give_back

    async def expect_reader(self, credential: str, check: Callable[[], None]) -> None:
        """Repeat a check, once an interval for all streams of a credential. Raises its Problem."""
        now = time.monotonic()
        if now - self._checked.get(credential, -CHECK_SECONDS) < CHECK_SECONDS:
            return
        self._checked[credential] = now
        try:
            await self.in_thread(check)
        except Problem:
            self._checked.pop(credential, None)
            raise

    @contextmanager
    def joined(self, distillation_id: str) -> Iterator[Feed]:
        """Follow a distillation; its poll ends with the last who does."""
        feed = self._feeds.get(distillation_id)
        if feed is None or feed.task.done():
            feed = self._feeds[distillation_id] = Feed(self, distillation_id)
        feed.viewers += 1
        try:
            yield feed
        finally:
            feed.viewers -= 1
            if feed.viewers == 0:
                feed.task.cancel()
                if self._feeds.get(distillation_id) is feed:
                    del self._feeds[distillation_id]
                if not self._feeds:
                    self._checked.clear()

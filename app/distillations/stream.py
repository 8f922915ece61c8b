"""Streams the events of a distillation as server-sent events."""

from collections.abc import AsyncIterator, Callable

from sse_starlette import EventSourceResponse, JSONServerSentEvent, ServerSentEvent
from starlette.types import Receive, Scope, Send

from app.core.errors import Problem
from app.distillations.feeds import Feeds

PING_SECONDS = 15


class EventStream(EventSourceResponse):
    """A stream that calls `at_end` however it ends, also before its first event."""

    def __init__(
        self, events: AsyncIterator[ServerSentEvent], *, at_end: Callable[[], None]
    ) -> None:
        super().__init__(events, ping=PING_SECONDS)
        self._at_end = at_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._at_end()


async def follow(
    feeds: Feeds,
    distillation_id: str,
    after: int,
    *,
    credential: str,
    expect_reader: Callable[[], None],
) -> AsyncIterator[ServerSentEvent]:
    """Stream every event after one, until the distillation has ended and all are sent.

    Or until `expect_reader` raises a Problem, which the next connection is answered with.
    """
    with feeds.joined(distillation_id) as feed:
        while not feed.task.done():
            try:
                await feeds.expect_reader(credential, expect_reader)
            except Problem:
                return
            events, ended = await feed.after(after)
            for event in events:
                after = event.id
                yield JSONServerSentEvent(
                    {**event.data, "at": event.created_at.isoformat()},
                    event=event.kind.value,
                    id=str(event.id),
                )
            if ended and not events:
                return

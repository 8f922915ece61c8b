"""Streams the events of a distillation as server-sent events."""

from collections.abc import AsyncIterator, Callable, Sequence

import anyio
from sse_starlette import JSONServerSentEvent, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from app.core.db import Database
from app.core.errors import Problem
from app.distillations.repository import DistillationRepository
from app.models.event import Event


async def follow(
    database: Database,
    distillation_id: str,
    after: int,
    *,
    poll_seconds: float,
    expect_reader: Callable[[], None],
) -> AsyncIterator[ServerSentEvent]:
    """Stream every event after one, until the distillation has ended and all are sent.

    Or until `expect_reader` raises a Problem, which the next connection is answered with.
    """
    while True:
        try:
            events, ended = await run_in_threadpool(
                _read_events, database, distillation_id, after, expect_reader
            )
        except Problem:
            return
        for event in events:
            after = event.id
            yield JSONServerSentEvent(
                {**event.data, "at": event.created_at.isoformat()},
                event=event.kind.value,
                id=str(event.id),
            )
        if events:
            continue
        if ended:
            return
        await anyio.sleep(poll_seconds)


def _read_events(
    database: Database, distillation_id: str, after: int, expect_reader: Callable[[], None]
) -> tuple[Sequence[Event], bool]:
    """Read the next events, and whether more can follow, in one snapshot."""
    expect_reader()
    with database.reading() as session:
        distillations = DistillationRepository(session)
        distillation = distillations.load(distillation_id)
        ended = distillation is None or distillation.status.is_final
        return distillations.events.after(distillation_id, after), ended

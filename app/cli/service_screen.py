"""The service on one screen of 80 columns, for its operator."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from app.cli.output import aligned, moment, words
from app.cli.progress import duration, size

if TYPE_CHECKING:
    from app.client.models import Job, Queue, ServiceStatus, Upkeep, Worker

COLUMNS = 80
INDENT = 2
GAP = 2


def screen(status: "ServiceStatus") -> Iterator[str]:
    """Its lines; what is broken comes last, where the eye is."""
    yield f"IADD Exchange {status.version}, {moment(status.at)}"
    checks = ", ".join(
        f"{check.name} {'ok' if check.works else 'FAILS'}" for check in status.checks
    )
    yield f"{checks}; {size(status.disk.free_bytes)} of {size(status.disk.total_bytes)} free"
    if status.service is not None:
        yield from _upkeep(status.service, status.at)
    yield from _table("Workers", [_worker(each, status.at) for each in status.workers], (0, 2))
    yield from _table("Queues", [_queue(each, status.at) for each in status.queues])
    running = [_job(each) for each in status.jobs]
    yield from _table("Waiting and running jobs", running, (1, 2))
    if status.more_jobs:
        yield "  and more: exchange admin jobs"
    failed = [(f"{each.count} x", words(each.kind), each.problem) for each in status.failures]
    yield from _table("Failed in the last day", failed)
    yield ""
    if not status.faults:
        yield "Everything works."
    for fault in status.faults:
        yield f"BROKEN: {fault}"


def _upkeep(upkeep: "Upkeep", now: datetime) -> Iterator[str]:
    if upkeep.drained_at is not None:
        drained = _since(upkeep.drained_at, now)
        yield f"Drained for {drained}: jobs wait until `exchange drain --undo`."
    if upkeep.backup is not None:
        made = upkeep.backup.made_at
        age = "none yet" if made is None else f"{_since(made, now)} old"
        yield f"Last good backup: {age}"


def _worker(worker: "Worker", now: datetime) -> tuple[str, ...]:
    if not worker.alive:
        state = f"gone for {_since(worker.seen_at, now)}"
    elif worker.holds:
        state = f"on {', '.join(_short_id(row.id) for row in worker.holds)}"
        if worker.holds[0].since is not None:
            state += f" for {_since(worker.holds[0].since, now)}"
    else:
        state = "idle"
    queues = "+".join(queue for queue in worker.queues if queue != "forecast")
    return (worker.id, queues, worker.device, worker.version, state)


def _queue(queue: "Queue", now: datetime) -> tuple[str, ...]:
    since = queue.oldest_waiting_since
    waits = "" if since is None else f"the oldest for {_since(since, now)}"
    messages = "?" if queue.messages is None else str(queue.messages)
    return (
        queue.name,
        f"{queue.workers} worker{'' if queue.workers == 1 else 's'}",
        f"{queue.held} running",
        f"{queue.waiting} waiting",
        f"{messages} messages",
        waits,
    )


def _job(job: "Job") -> tuple[str, ...]:
    done = words(job.phase or job.status)
    if job.progress is not None:
        done += f" {job.progress.done:g}/{job.progress.total:g}"
    left = "" if job.eta_seconds is None else f"about {duration(job.eta_seconds)} left"
    return (job.id, job.organisation, done, left)


def _since(when: datetime, now: datetime) -> str:
    return duration(max((now - when).total_seconds(), 0))


def _short_id(row_id: str) -> str:
    """As much of an id as tells it from others on a screen."""
    kind, _, rest = row_id.partition("_")
    return f"{kind}_{rest[:8]}"


def _table(
    heading: str, rows: Sequence[tuple[str, ...]], narrowed: Sequence[int] = ()
) -> Iterator[str]:
    """A headed table; the columns of `narrowed` give way where it is wider than the screen."""
    if not rows:
        return
    yield ""
    yield f"{heading}:"
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    spare = INDENT + sum(widths) + GAP * (len(widths) - 1) - COLUMNS
    for column in sorted(narrowed, key=lambda each: -widths[each]):
        given = min(max(spare, 0), max(widths[column] - 8, 0))
        widths[column] -= given
        spare -= given
    shortened = [
        [_shorten(cell, width) for cell, width in zip(row, widths, strict=True)] for row in rows
    ]
    yield from aligned(shortened)


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"

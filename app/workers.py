"""The worker processes that live, by their heartbeats."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import leases
from app.models.worker_process import WorkerProcess

ALIVE_FOR = timedelta(seconds=30)
"""After a heartbeat; a worker sends one every ten seconds."""


def seen_workers(session: Session, since: datetime, now: datetime) -> Sequence[WorkerProcess]:
    """Those that sent a heartbeat since then, by host and process."""
    return session.scalars(
        select(WorkerProcess)
        # Seen in the future: by a clock that ran ahead, and not since.
        .where(WorkerProcess.seen_at.between(since, now + leases.LONGEST))
        .order_by(WorkerProcess.host, WorkerProcess.pid)
    ).all()


def living_workers(session: Session, now: datetime) -> Sequence[WorkerProcess]:
    return seen_workers(session, now - ALIVE_FOR, now)

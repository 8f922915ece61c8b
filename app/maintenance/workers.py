"""Workers as their heartbeats report them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.leases import LONGEST
from app.core.version import VERSION
from app.maintenance.admission import Refusal, refusal_of
from app.maintenance.portals import ALIVE_FOR
from app.models.worker_process import WorkerProcess


def seen_workers(session: Session, since: datetime) -> Sequence[WorkerProcess]:
    """Those that sent a heartbeat since then, by host and process."""
    return session.scalars(
        select(WorkerProcess)
        # Seen in the future: by a clock that ran ahead, and not since.
        .where(WorkerProcess.seen_at.between(since, utc_now() + LONGEST))
        .order_by(WorkerProcess.host, WorkerProcess.pid)
    ).all()


def working_workers(session: Session) -> Sequence[WorkerProcess]:
    """Those that live and take work."""
    living = seen_workers(session, utc_now() - ALIVE_FOR)
    return [worker for worker in living if refusal_told(worker) is None]


def refusal_told(worker: WorkerProcess) -> Refusal | None:
    """Why a worker takes no work: it says so, or its version does, where it is too old to say."""
    if worker.refusal in set(Refusal):
        return Refusal(worker.refusal)
    return refusal_of(worker.version, VERSION)

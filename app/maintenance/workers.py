"""Workers as their heartbeats report them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.leases import LONGEST
from app.core.version import VERSION
from app.maintenance.admission import ALIVE_FOR, Refusal, refusal_of
from app.models.worker_process import WorkerProcess


def working(session: Session) -> Sequence[WorkerProcess]:
    """Workers that live and take work, as far as they say."""
    now = utc_now()
    return session.scalars(
        select(WorkerProcess).where(
            WorkerProcess.seen_at.between(now - ALIVE_FOR, now + LONGEST),
            WorkerProcess.refusal.is_(None),
        )
    ).all()


def refusal_told(worker: WorkerProcess) -> Refusal | None:
    """Why a worker takes no work: it says so, or its version does, where it is too old to say."""
    if worker.refusal in set(Refusal):
        return Refusal(worker.refusal)
    return refusal_of(worker.version, VERSION)

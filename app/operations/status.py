"""The whole service on one screen: what answers, who works on what, and what is broken."""

import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from importlib.metadata import version

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.errors import Forbidden
from app.core.portal import Portal
from app.core.queue import Queue
from app.core.security import Caller, Permission
from app.operations import service
from app.operations.failures import failures_since
from app.operations.schemas import (
    CheckRead,
    Disk,
    FailureRead,
    QueueRead,
    ScheduledBackupRead,
    StatusRead,
)

logger = logging.getLogger(__name__)

CHECK_SECONDS = 5.0
"""What has not answered by then is as good as unreachable."""
LONGEST_WAIT = timedelta(minutes=15)
"""A row that waits longer than this is a fault: the alert has the same limit."""
SHOWN_JOBS = 20
FAILED_WITHIN = timedelta(days=1)

_WORDS = {
    "database": "The database does not answer, or was never migrated: nothing works without it.",
    "broker": "The broker does not answer: jobs wait until it does. Nothing is lost.",
    "objects": "The object store does not answer: uploads and jobs fail until it does.",
    "disc": "The disc has less free than EXCHANGE_RESERVE_BYTES: uploads are refused.",
}


def service_status(portal: Portal, caller: Caller) -> StatusRead:
    """What an operator wants to know first.

    Raises:
        Forbidden: The caller is no operator.
    """
    if not caller.may(Permission.OPERATE):
        raise Forbidden("This is for operators of the portal. Nothing was changed.")
    portal.settings.data_dir.mkdir(parents=True, exist_ok=True)
    disk = shutil.disk_usage(portal.settings.data_dir)
    checks = {
        "database": _answers(lambda: _ask_database(portal)),
        "broker": portal.settings.is_hub or _answers(lambda: portal.queue.waiting(Queue.CPU)),
        "objects": _answers(lambda: portal.storage.exists("readyz")),
        "disc": portal.reserve.is_whole,
    }
    if portal.settings.is_hub:
        del checks["broker"]
    now = utc_now()
    found = StatusRead(
        at=now,
        version=version("iadd-exchange"),
        checks=[CheckRead(name=name, works=works) for name, works in checks.items()],
        disk=Disk(total_bytes=disk.total, free_bytes=disk.free),
        reserve_bytes=portal.settings.reserve_bytes,
        service=None,
        workers=[],
        queues=[],
        jobs=[],
        more_jobs=False,
        failures=[],
        faults=[_WORDS[name] for name, works in checks.items() if not works],
    )
    if not checks["database"]:
        return found
    with portal.database.reading() as session:
        queues = service.queues(portal, session, caller).items
        upkeep = service.service(portal, session, caller)
        jobs, more = service.list_jobs(session, caller, active=True, limit=SHOWN_JOBS)
        return found.model_copy(
            update={
                "service": upkeep,
                "workers": service.workers(session, caller).items,
                "queues": queues,
                "jobs": jobs,
                "more_jobs": more is not None,
                "failures": _failures(session, now),
                "faults": [
                    *found.faults,
                    *([] if upkeep.drained_at else _waiting_too_long(queues, now)),
                    *_backup_fails(upkeep.backup, now),
                ],
            }
        )


def _failures(session: Session, now: datetime) -> list[FailureRead]:
    found = [
        FailureRead(kind=each.kind, problem=each.problem, count=each.count)
        for each in failures_since(session, now - FAILED_WITHIN)
    ]
    return sorted(found, key=lambda each: -each.count)


def _waiting_too_long(queues: list[QueueRead], now: datetime) -> Iterator[str]:
    for queue in queues:
        since = queue.oldest_waiting_since
        if since is None:
            continue
        if queue.workers == 0:
            yield f"Work waits in the queue {queue.name}, and no worker takes from it."
        elif now - since > LONGEST_WAIT:
            minutes = (now - since).total_seconds() / 60
            yield f"The oldest work in the queue {queue.name} has waited for {minutes:.0f} minutes."


def _backup_fails(backup: ScheduledBackupRead | None, now: datetime) -> Iterator[str]:
    if backup is None:
        return
    if backup.problem is not None:
        yield f"The last scheduled backup failed: {backup.problem}"
    elif backup.made_at is not None and now - backup.made_at > timedelta(hours=2 * backup.hours):
        yield "The last good backup is older than two of the times from one to the next."


def _ask_database(portal: Portal) -> None:
    # A table of ours: a database that was never migrated is of no use.
    with portal.database.reading() as session:
        session.execute(text("SELECT 1 FROM organisation LIMIT 1"))


def _answers(check: Callable[[], object]) -> bool:
    """Whether a check succeeds soon; one that hangs is left to its own thread."""
    succeeded = threading.Event()

    def run() -> None:
        try:
            check()
        except Exception as error:  # noqa: BLE001 (whatever the driver raises, the answer is "no")
            logger.warning("a check failed: %s", type(error).__name__)
        else:
            succeeded.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(CHECK_SECONDS)
    return succeeded.is_set()

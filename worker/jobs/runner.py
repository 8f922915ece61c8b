"""Runs a job: claim its row, compute under a heartbeat, write the end, enqueue what follows.

Whatever ends a run, the row states the truth afterwards: the next status, failed, cancelled, or
still the same status for another worker to take up. A job that runs twice does nothing the second
time, since its row has left the status that the claim expects; two at once do no harm, since the
lease lets one in, and of two that both believe to have it the fencing token lets one write.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from app.core import leases
from app.core.leases import LeaseLost
from app.core.outages import OUTAGES
from app.core.queue import Task, enqueue_after_commit
from app.core.types import JsonObject
from app.maintenance.admission import refusal
from app.models.lease import Leased
from iadd.runtime.device import DeviceLostError, watching_device
from worker.jobs.lease import Cancelled, ClaimedRow, Interrupted
from worker.jobs.observation import observed_job
from worker.jobs.problems import WorkersLostError
from worker.lifecycle import end_worker, process_name, wait_for_admission
from worker.services import Services, get_services
from worker.turns import booking

logger = logging.getLogger(__name__)

PAUSES = (1.0, 5.0, 15.0)
"""Seconds before each new try after a transient error."""

T = TypeVar("T")
Row = TypeVar("Row", bound=Leased)

Step = Callable[[Services, ClaimedRow, Row], Callable[[], None]]
"""The work on a row. Computes and stores, and returns what writes the end into the row."""


@dataclass(frozen=True, kw_only=True)
class JobKind(Generic[Row]):
    """The parts of a run in which one kind of job differs from the others.

    Attributes:
        model: Table of the rows.
        task: Message by which a row that was given back reaches the next worker.
        claim: Takes a row, by session, id, owner and seconds of the lease; returns the fencing
            token, or None where another worker has the row or its status is another.
        problem: Describes an error to people (RFC 9457).
        fail: Ends the job with that problem.
        cancel: Ends a job that is not wanted any more; None gives the row back instead.
        release: Gives the row back for another worker; None writes `release_values` into it and
            enqueues `task`.
        release_values: Columns of a row that is given back.
        is_wanted: Reads whether somebody still waits for the result.
        log_handover: Logs for people that a worker with another GPU goes on; None fails a job
            whose GPU was lost.
    """

    model: type[Row]
    task: Task
    claim: Callable[..., int | None]
    problem: Callable[[Exception], JsonObject]
    fail: Callable[[Session, ClaimedRow, JsonObject], None]
    cancel: Callable[[Session, ClaimedRow], None] | None = None
    release: Callable[[Session, ClaimedRow], None] | None = None
    release_values: JsonObject = field(default_factory=dict)
    is_wanted: Callable[[Session, str], bool] = lambda session, row_id: True
    log_handover: Callable[[Session, Row], None] | None = None


def run_job(kind: JobKind[Row], row_id: str, step: Step[Row]) -> bool:
    """Run `step` on the row if it waits and no other worker has it; False if it did nothing."""
    services = get_services()
    with observed_job(services.database, kind.model, kind.task, row_id):
        return _run(services, kind, row_id, step)


def _run(services: Services, kind: JobKind[Row], row_id: str, step: Step[Row]) -> bool:
    name = kind.task.value
    try:
        claimed = _claim(services, kind, row_id)
    except OUTAGES as error:
        # Nobody holds the row: the sweeper sends it again.
        logger.warning("%s: %s was not claimed: %s", row_id, name, type(error).__name__)
        return False
    if claimed is None:
        logger.info("%s: nothing to do for %s", row_id, name)
        return False
    logger.info("%s: %s begins (fencing token %d)", row_id, name, claimed.fencing_token)
    with booking(services.database, kind.task, row_id):
        _work(services, kind, claimed, step)
    return True


def _work(services: Services, kind: JobKind[Row], claimed: ClaimedRow, step: Step[Row]) -> None:
    """Compute and write the end, whatever it is."""
    name, row_id = kind.task.value, claimed.row_id
    try:
        _compute(services, kind, claimed, step)
    except LeaseLost as lost:
        logger.warning("%s", lost)
    except Cancelled:
        _end(services, claimed, kind.cancel or _release(kind), f"{name} is not wanted any more")
    except Interrupted:
        _end(services, claimed, _release(kind), f"{name} paused, this worker stops")
    except Exception as error:
        logger.exception("%s: %s failed", row_id, name)
        if isinstance(error, DeviceLostError):
            end_worker()
            if _hand_over(services, kind, claimed):
                return
        problem = kind.problem(error)
        _end(services, claimed, lambda session, row: kind.fail(session, row, problem), "failed")


def _claim(services: Services, kind: JobKind[Any], row_id: str) -> ClaimedRow | None:
    with services.database.transaction() as session:
        if refusal(session) is not None:
            # The look of `worker.admission` may be a moment old. The message is for another worker.
            wait_for_admission()
            enqueue_after_commit(session, kind.task, row_id)
            return None
        token = kind.claim(
            session, row_id, owner=process_name(), seconds=services.settings.lease_seconds
        )
    if token is None:
        return None
    return ClaimedRow(
        services,
        kind.model,
        row_id,
        token,
        is_wanted=lambda session: kind.is_wanted(session, row_id),
    )


def _compute(services: Services, kind: JobKind[Row], claimed: ClaimedRow, step: Step[Row]) -> None:
    """Run the step under a heartbeat, then write its end; each again after a transient error.

    Raises:
        LeaseLost, Cancelled, Interrupted: As the row or this process requests.
        WorkersLostError: When too many workers in a row died over the row.
        DeviceLostError: When the GPU went away; nothing can be computed in this process any more.
    """

    def start() -> Callable[[], None]:
        with services.database.reading() as session:
            row = session.get_one(kind.model, claimed.row_id)
            wanted = kind.is_wanted(session, claimed.row_id)
        if not wanted:
            raise Cancelled
        if row.takeovers >= services.worker_settings.largest_attempts:
            raise WorkersLostError(row.takeovers)
        return step(services, claimed, row)

    claimed.check()
    # The heartbeat ends before the row is given back: it would renew a lease nobody holds.
    with claimed.heartbeat(), watching_device():
        finish = _retry(start, claimed)
    _retry(finish, claimed)


def _retry(action: Callable[[], T], claimed: ClaimedRow) -> T:
    """Run it, and again after a transient error: the database locked, the object store silent.

    Raises:
        LeaseLost, Cancelled, Interrupted: Between two tries, as the row or this process requests.
    """
    for pause in PAUSES:
        try:
            return action()
        except OUTAGES as error:
            logger.warning(
                "%s: %s, tried again in %g s", claimed.row_id, type(error).__name__, pause
            )
        time.sleep(pause)
        claimed.check()
    return action()


def _release(kind: JobKind[Any]) -> Callable[[Session, ClaimedRow], None]:
    def release(session: Session, claimed: ClaimedRow) -> None:
        leases.release(
            session, kind.model, claimed.row_id, fence=claimed.fencing_token, **kind.release_values
        )
        enqueue_after_commit(session, kind.task, claimed.row_id)

    return kind.release or release


def _end(
    services: Services,
    claimed: ClaimedRow,
    write: Callable[[Session, ClaimedRow], None],
    message: str,
) -> None:
    """Write the end of the run in one transaction, unless the row is another worker's by now."""
    try:
        with services.database.transaction() as session:
            write(session, claimed)
    except LeaseLost as lost:
        logger.warning("%s", lost)
    except OUTAGES as error:
        # The lease runs out, and another worker takes the row up.
        logger.warning(
            "%s: its end was not written (%s): %s", claimed.row_id, type(error).__name__, message
        )
    else:
        logger.info("%s: %s", claimed.row_id, message)


def _hand_over(services: Services, kind: JobKind[Any], claimed: ClaimedRow) -> bool:
    """Leave the row to a worker whose GPU answers; False when too many workers have tried."""
    if kind.log_handover is None:
        return False
    with services.database.transaction() as session:
        row = session.get(kind.model, claimed.row_id, populate_existing=True)
        if row is None or row.takeovers + 1 >= services.worker_settings.largest_attempts:
            return False
        try:
            leases.give_up(session, kind.model, claimed.row_id, fence=claimed.fencing_token)
        except LeaseLost as lost:
            logger.warning("%s", lost)
        else:
            kind.log_handover(session, row)
            enqueue_after_commit(session, kind.task, claimed.row_id)
    return True

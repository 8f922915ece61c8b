"""How one phase of a distillation is run: claim, heartbeat, one step, the next message.

Whatever ends the step, the row tells the truth afterwards: the next phase, `failed`, `cancelled`,
or still this phase for another worker to take up. A phase that runs twice does nothing the second
time, since its row has left the status that it expects; two at once do no harm, since the lease
lets one in, and of two that both believe to hold it the fence lets one write.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core import leases
from app.core.leases import LeaseLost
from app.core.queue import Task, enqueue_after_commit
from app.core.types import JsonObject
from app.distillations.repository import DistillationRepository
from app.models import Dataset, Distillation, DistillationStatus
from iadd.runtime.device import DeviceLostError
from worker.app import end_worker, process_name
from worker.jobs.checkpoints import Checkpoints
from worker.jobs.lease import Cancelled, Hold, Interrupted
from worker.jobs.problems import DEVICE_LOST, WorkersLostError, problem_of
from worker.jobs.progress import PhaseProgress
from worker.jobs.retries import carry_out
from worker.services import Services, get_services

logger = logging.getLogger(__name__)

TASK_OF = {
    DistillationStatus.QUEUED: Task.START_DISTILLATION,
    DistillationStatus.DISTILLING: Task.DISTILL,
    DistillationStatus.EVALUATING: Task.EVALUATE,
    DistillationStatus.AUDITING: Task.AUDIT,
    DistillationStatus.PACKAGING: Task.PACKAGE,
}
"""Which task works on a row of a status. `teaching` has none of its own: its teachers have."""


@dataclass(frozen=True)
class Work:
    """What a step gets: its rows as they were when it began, and where to report."""

    services: Services
    row: Distillation
    dataset: Dataset
    progress: PhaseProgress
    checkpoints: Checkpoints


@dataclass(frozen=True)
class Outcome:
    """What a step leaves: the next status and the row's new values."""

    status: DistillationStatus
    values: JsonObject
    keep_checkpoint: bool = False


Step = Callable[[Work], Outcome | Callable[[Session], Outcome]]
"""A step whose outcome depends on other rows returns how to find it: that is asked inside the
transaction that writes it."""


def run_phase(
    distillation_id: str,
    status: DistillationStatus,
    step: Step,
    *,
    also: Callable[[Session, str], Sequence[DistillationStatus]] = lambda session, row_id: (),
) -> None:
    """Run `step` if the row is in `status`, or one that `also` names, and nobody works on it."""
    services = get_services()
    hold = _claim(services, distillation_id, status, also)
    if hold is None:
        logger.info("%s: nothing to do for %s", distillation_id, status.value)
        return
    logger.info("%s: %s begins (fence %d)", distillation_id, status.value, hold.fence)
    try:
        carry_out(lambda: _take_step(services, hold, step), hold)
    except LeaseLost as lost:
        logger.warning("%s", lost)
    except Cancelled:
        _leave(services, hold, to=DistillationStatus.CANCELLED)
    except Interrupted:
        _pause(services, hold, TASK_OF[status])
    except Exception as error:
        logger.exception("%s: %s failed", distillation_id, status.value)
        if isinstance(error, DeviceLostError):
            end_worker()
            if _hand_over(services, hold, status):
                return
        problem = problem_of(error, doing=_DOING[status], kept=_KEPT[status])
        _leave(services, hold, to=DistillationStatus.FAILED, problem=problem)


def _claim(
    services: Services,
    distillation_id: str,
    status: DistillationStatus,
    also: Callable[[Session, str], Sequence[DistillationStatus]],
) -> Hold | None:
    settings = services.settings
    with services.database.transaction() as session:
        fence = DistillationRepository(session).claim(
            distillation_id,
            statuses=(status, *also(session, distillation_id)),
            owner=process_name(),
            seconds=settings.lease_seconds,
        )
    if fence is None:
        return None

    def is_wanted(session: Session) -> bool:
        return not DistillationRepository(session).cancel_requested(distillation_id)

    return Hold(services, Distillation, distillation_id, fence, is_wanted=is_wanted)


def _take_step(services: Services, hold: Hold, step: Step) -> Callable[[], None]:
    """Run the step; what it returns writes its outcome."""
    with services.database.reading() as session:
        row = session.get_one(Distillation, hold.row_id)
        dataset = session.get_one(Dataset, row.dataset_id)
    if row.cancel_requested_at is not None:
        raise Cancelled
    if row.takeovers >= services.worker_settings.largest_attempts:
        raise WorkersLostError(row.takeovers)
    progress = PhaseProgress(services, hold, row, dataset)
    checkpoints = Checkpoints(
        services.storage,
        hold,
        folder=f"distillations/{row.id}/checkpoints",
        key=row.checkpoint_key,
    )
    concluded = step(Work(services, row, dataset, progress, checkpoints))
    timings = progress.timings()

    def finish() -> None:
        with services.database.transaction() as session:
            outcome = concluded(session) if callable(concluded) else concluded
            values = {"timings": timings, **outcome.values}
            if not outcome.status.is_final:  # the last status has none by itself
                values["eta_seconds"] = None
            if not outcome.keep_checkpoint:
                values["checkpoint_key"] = None
            DistillationRepository(session).hand_on(
                hold.row_id,
                fence=hold.fence,
                to=outcome.status,
                **values,
            )
            if outcome.status in TASK_OF:
                enqueue_after_commit(session, TASK_OF[outcome.status], hold.row_id)
        logger.info("%s: %s → %s", hold.row_id, row.status.value, outcome.status.value)
        if checkpoints.key is not None and not outcome.keep_checkpoint:
            services.storage.delete(checkpoints.key)

    return finish


def _leave(services: Services, hold: Hold, *, to: DistillationStatus, **values: Any) -> None:
    """End the work in a final status; its checkpoint stays, for a retry."""
    try:
        with services.database.transaction() as session:
            DistillationRepository(session).hand_on(hold.row_id, fence=hold.fence, to=to, **values)
    except LeaseLost as lost:
        logger.warning("%s", lost)
    else:
        logger.info("%s: %s", hold.row_id, to.value)


def _pause(services: Services, hold: Hold, task: Task) -> None:
    """Give the row back as it is, with a message for the worker that comes next."""
    try:
        with services.database.transaction() as session:
            leases.release(session, Distillation, hold.row_id, fence=hold.fence)
            enqueue_after_commit(session, task, hold.row_id)
    except LeaseLost as lost:
        logger.warning("%s", lost)
    else:
        logger.info("%s: %s paused, this worker stops", hold.row_id, task.value)


def _hand_over(services: Services, hold: Hold, status: DistillationStatus) -> bool:
    """Leave the row to a worker whose GPU answers; False when too many have tried."""
    with services.database.transaction() as session:
        repository = DistillationRepository(session)
        row = repository.load(hold.row_id)
        most = services.worker_settings.largest_attempts
        if row is None or row.takeovers + 1 >= most:
            return False
        try:
            leases.give_up(session, Distillation, hold.row_id, fence=hold.fence)
        except LeaseLost as lost:
            logger.warning("%s", lost)
        else:
            repository.log(hold.row_id, status, DEVICE_LOST)
            enqueue_after_commit(session, TASK_OF[status], hold.row_id)
    return True


_DOING = {
    DistillationStatus.QUEUED: "preparing the run",
    DistillationStatus.DISTILLING: "distilling",
    DistillationStatus.EVALUATING: "evaluating the distilled set",
    DistillationStatus.AUDITING: "auditing privacy",
    DistillationStatus.PACKAGING: "packing the bundle",
}
_KEPT = {
    DistillationStatus.QUEUED: "The dataset is unchanged.",
    DistillationStatus.DISTILLING: "The teachers and the last checkpoint are kept.",
    DistillationStatus.EVALUATING: "The distilled images are kept.",
    DistillationStatus.AUDITING: "The distilled images and their evaluation are kept.",
    DistillationStatus.PACKAGING: "The distilled images, their evaluation and audit are kept.",
}

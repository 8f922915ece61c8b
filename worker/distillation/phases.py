"""Runs of a distillation's phases: each takes one step and enqueues the next phase.

`worker.jobs.runner` says why a phase that runs twice, or in two workers at once, does no harm.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from app.core.queue import Task, enqueue_after_commit
from app.core.types import JsonObject
from app.distillations.repository import DistillationRepository
from app.models import Dataset, Distillation, DistillationStatus
from worker.jobs.checkpoints import Checkpoints
from worker.jobs.lease import ClaimedRow
from worker.jobs.problems import DEVICE_LOST, problem_of
from worker.jobs.progress import PhaseProgress
from worker.jobs.runner import JobKind, run_job
from worker.services import Services

logger = logging.getLogger(__name__)

TASK_OF = {
    DistillationStatus.QUEUED: Task.START_DISTILLATION,
    DistillationStatus.DISTILLING: Task.DISTILL,
    DistillationStatus.EVALUATING: Task.EVALUATE,
    DistillationStatus.AUDITING: Task.AUDIT,
    DistillationStatus.PACKAGING: Task.PACKAGE,
}
"""Task that works on a row of a status. `teaching` has none of its own: its teachers have."""


@dataclass(frozen=True)
class PhaseContext:
    """Input of a step: its rows as they were when it began, and where to report."""

    services: Services
    row: Distillation
    dataset: Dataset
    progress: PhaseProgress
    checkpoints: Checkpoints


@dataclass(frozen=True)
class Outcome:
    """Result of a step: the next status and the row's new values."""

    status: DistillationStatus
    values: JsonObject
    keep_checkpoint: bool = False
    waits: bool = False
    """The phase waits for other rows; the last of them sends its task again."""


PhaseStep = Callable[[PhaseContext], Outcome | Callable[[Session], Outcome]]
"""A step whose outcome depends on other rows returns a function that finds it, called inside the
transaction that writes it."""


def run_phase(
    distillation_id: str,
    status: DistillationStatus,
    step: PhaseStep,
    *,
    also: Callable[[Session, str], Sequence[DistillationStatus]] = lambda session, row_id: (),
) -> bool:
    """Run `step` if the row is in `status`, or one that `also` names, and no worker has it.

    Returns:
        False if it did nothing.
    """

    def end(session: Session, claimed: ClaimedRow, to: DistillationStatus, **values: Any) -> None:
        # The checkpoint stays, for a retry.
        DistillationRepository(session).advance(
            claimed.row_id, fence=claimed.fencing_token, to=to, **values
        )

    kind = JobKind(
        model=Distillation,
        task=TASK_OF[status],
        claim=lambda session, row_id, **lease: DistillationRepository(session).claim(
            row_id, statuses=(status, *also(session, row_id)), **lease
        ),
        is_wanted=lambda session, row_id: (
            not DistillationRepository(session).cancel_requested(row_id)
        ),
        problem=partial(problem_of, doing=_DOING[status], kept=_KEPT[status]),
        fail=lambda session, claimed, problem: end(
            session, claimed, DistillationStatus.FAILED, problem=problem
        ),
        cancel=lambda session, claimed: end(session, claimed, DistillationStatus.CANCELLED),
        log_handover=lambda session, row: DistillationRepository(session).log(
            row.id, status, DEVICE_LOST
        ),
    )
    return run_job(kind, distillation_id, partial(_take_step, step))


def _take_step(
    step: PhaseStep, services: Services, claimed: ClaimedRow, row: Distillation
) -> Callable[[], None]:
    """Run the step; return what writes its outcome."""
    with services.database.reading() as session:
        dataset = session.get_one(Dataset, row.dataset_id)
    progress = PhaseProgress(services, claimed, row, dataset)
    checkpoints = Checkpoints(
        services.storage,
        claimed,
        folder=f"distillations/{row.id}/checkpoints",
        key=row.checkpoint_key,
    )
    concluded = step(PhaseContext(services, row, dataset, progress, checkpoints))
    timings = progress.timings()

    def finish() -> None:
        with services.database.transaction() as session:
            outcome = concluded(session) if callable(concluded) else concluded
            values = {"timings": timings, **outcome.values}
            if not outcome.status.is_final:  # the last status has none by itself
                values["eta_seconds"] = None
            if not outcome.keep_checkpoint:
                values["checkpoint_key"] = None
            distillations = DistillationRepository(session)
            if outcome.status == row.status:
                distillations.give_back(row.id, fence=claimed.fencing_token, **values)
            else:
                distillations.advance(
                    row.id, fence=claimed.fencing_token, to=outcome.status, **values
                )
            if outcome.status in TASK_OF and not outcome.waits:
                enqueue_after_commit(session, TASK_OF[outcome.status], row.id)
        logger.info("%s: %s → %s", row.id, row.status.value, outcome.status.value)
        if checkpoints.key is not None and not outcome.keep_checkpoint:
            services.storage.delete(checkpoints.key)

    return finish


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

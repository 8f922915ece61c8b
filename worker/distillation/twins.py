"""The repetitions of a distillation that its audit attacks; the last one sends the audit on.

They run while their distillation is `auditing`; without it they go back to `pending`, with what
they have. What they are told to have in or out follows from the audit's secret and their number.
"""

import logging
from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from app.core.queue import Task, enqueue_after_commit
from app.core.types import JsonObject
from app.distillations.audit_twins import AuditTwinRepository
from app.distillations.repository import DistillationRepository
from app.models import AuditTwin, Dataset, Distillation, DistillationStatus, TwinStatus
from worker.distillation import pipeline
from worker.distillation.folder_checkpoint import FolderCheckpoint
from worker.distillation.secrets import audit_secret_of, private_seed_of
from worker.distillation.steps import images_key, settings_of
from worker.jobs.checkpoints import Checkpoints
from worker.jobs.lease import ClaimedRow
from worker.jobs.problems import DEVICE_LOST, problem_of
from worker.jobs.progress import TwinProgress
from worker.jobs.runner import JobKind, run_job
from worker.services import Services

logger = logging.getLogger(__name__)


def run(twin_id: str) -> bool:
    """Run these repetitions if they are not done and no other worker has them."""
    return run_job(_KIND, twin_id, _repeat)


def _repeat(services: Services, claimed: ClaimedRow, twin: AuditTwin) -> Callable[[], None]:
    """Repeat the distillation and store its scores; return what writes that down."""
    with services.database.reading() as session:
        row = session.get_one(Distillation, twin.distillation_id)
        dataset = session.get_one(Dataset, row.dataset_id)
    private_seed_of(row)  # a forgotten one would give other bits
    folder = f"distillations/{row.id}/twins/{twin.number:04d}"
    lists = Checkpoints(
        services.storage,
        claimed,
        folder=f"{folder}/lists",
        key=twin.partial_key,
        column="partial_key",
    )
    progress = TwinProgress(services, claimed, twin)
    key = f"distillations/{row.id}/twins/{twin.number:04d}.scores"
    with services.scratch() as scratch:
        files = FolderCheckpoint(
            services.storage,
            lists,
            prefix=f"{folder}/files",
            folder=scratch,
            token=claimed.fencing_token,
            seconds=services.worker_settings.checkpoint_seconds,
        )
        files.restore()
        pipeline.repeat(
            services.storage,
            services.worker_settings,
            images=images_key(dataset),
            config=settings_of(row),
            numbers=range(twin.number, twin.number + twin.runs),
            secret=audit_secret_of(row),
            result=key,
            scratch=scratch,
            save=files.save_if_due,
            on_progress=progress,
        )

    def finish() -> None:
        with services.database.transaction() as session:
            twins = AuditTwinRepository(session)
            twins.finish(
                twin.id,
                fence=claimed.fencing_token,
                status=TwinStatus.DONE,
                object_key=key,
                partial_key=None,
                done=100,
                seconds=progress.seconds(),
            )
            if twins.are_done(row.id):
                enqueue_after_commit(session, Task.AUDIT, row.id)
        logger.info("%s: done", twin.id)
        services.storage.delete_folder(folder)

    return finish


def _is_wanted(session: Session, twin_id: str) -> bool:
    return AuditTwinRepository(session).is_wanted(twin_id)


def _release(session: Session, claimed: ClaimedRow) -> None:
    """Leave them to the next worker, which starts at once if the audit still waits."""
    AuditTwinRepository(session).finish(
        claimed.row_id, fence=claimed.fencing_token, status=TwinStatus.PENDING
    )
    if _is_wanted(session, claimed.row_id):
        enqueue_after_commit(session, Task.RUN_TWINS, claimed.row_id)


def _log_handover(session: Session, twin: AuditTwin) -> None:
    DistillationRepository(session).log(
        twin.distillation_id, DistillationStatus.AUDITING, DEVICE_LOST
    )


def _fail(session: Session, claimed: ClaimedRow, problem: JsonObject) -> None:
    """Fail them, and the distillation that waits for them."""
    AuditTwinRepository(session).finish(
        claimed.row_id, fence=claimed.fencing_token, status=TwinStatus.FAILED, problem=problem
    )
    DistillationRepository(session).move(
        session.get_one(AuditTwin, claimed.row_id).distillation_id,
        expected=(DistillationStatus.AUDITING,),
        to=DistillationStatus.FAILED,
        problem=problem,
    )


_KIND = JobKind(
    model=AuditTwin,
    task=Task.RUN_TWINS,
    claim=lambda session, row_id, **lease: AuditTwinRepository(session).claim(row_id, **lease),
    is_wanted=_is_wanted,
    problem=partial(
        problem_of,
        doing="repeating the distillation for the audit",
        kept="The distilled images, their evaluation and the finished repetitions are kept.",
    ),
    fail=_fail,
    release=_release,
    log_handover=_log_handover,
)

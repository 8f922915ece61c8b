"""The recording of one teacher; the last teacher of a set sends its distillations on.

Teachers belong to a dataset and to teacher settings, not to a distillation. They run while at least
one distillation waits for them; without one they go back to `pending`, with what they have.
"""

import logging
from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from app.core.queue import Task, enqueue_after_commit
from app.core.types import JsonObject
from app.distillations.repository import DistillationRepository
from app.distillations.trajectory_sets import TeacherRepository, TrajectorySetRepository
from app.ledgers.store import DatabaseLedgerStore
from app.models import Dataset, DistillationStatus, Teacher, TeacherStatus, TrajectorySet
from iadd.config import Config
from worker.distillation import pipeline
from worker.distillation.phases import TASK_OF
from worker.distillation.secrets import private_seed_of
from worker.distillation.steps import first_missing_phase, images_key
from worker.jobs.checkpoints import Checkpoints
from worker.jobs.lease import ClaimedRow
from worker.jobs.problems import DEVICE_LOST, problem_of
from worker.jobs.progress import TeacherProgress
from worker.jobs.runner import JobKind, run_job
from worker.services import Services

logger = logging.getLogger(__name__)


def record(teacher_id: str) -> bool:
    """Record the teacher's trajectory if it is not recorded and no other worker has it."""
    return run_job(_KIND, teacher_id, _teach)


def _is_wanted(session: Session, teacher_id: str) -> bool:
    teacher = session.get_one(Teacher, teacher_id)
    return TrajectorySetRepository(session).is_wanted(teacher.trajectory_set_id)


def _teach(services: Services, claimed: ClaimedRow, teacher: Teacher) -> Callable[[], None]:
    """Train the teacher and store its trajectory; return what writes that down."""
    with services.database.reading() as session:
        trajectory_set = session.get_one(TrajectorySet, teacher.trajectory_set_id)
        dataset = session.get_one(Dataset, trajectory_set.dataset_id)
    config = Config.from_dict(trajectory_set.config)
    config = config.with_private_seed(private_seed_of(trajectory_set))
    partials = Checkpoints(
        services.storage,
        claimed,
        folder=f"trajectories/{trajectory_set.id}/partial/{teacher.index:04d}",
        key=teacher.partial_key,
        column="partial_key",
    )
    key = f"trajectories/{trajectory_set.id}/teacher-{teacher.index:04d}.safetensors"
    epochs = config.teacher.teacher_epochs
    with services.scratch() as scratch:
        pipeline.teach(
            services.storage,
            services.worker_settings,
            images=images_key(dataset),
            config=config,
            teacher=teacher.index,
            result=key,
            scratch=scratch,
            partials=partials,
            on_progress=TeacherProgress(services, claimed, teacher, dataset, epochs),
            ledger=DatabaseLedgerStore(services.database, dataset.id),
        )

    def finish() -> None:
        with services.database.transaction() as session:
            TeacherRepository(session).finish(
                teacher.id,
                fence=claimed.fencing_token,
                status=TeacherStatus.DONE,
                object_key=key,
                partial_key=None,
                epochs_done=epochs,
            )
            if TrajectorySetRepository(session).count_one_done(trajectory_set.id):
                _advance_waiting(session, trajectory_set.id)
        logger.info("%s: done", teacher.id)
        if partials.key is not None:
            services.storage.delete(partials.key)

    return finish


def _advance_waiting(session: Session, trajectory_set_id: str) -> None:
    """Advance every distillation that waits for this set."""
    repository = DistillationRepository(session)
    for row in repository.taught_by(trajectory_set_id):
        to = first_missing_phase(row)
        if repository.move(
            row.id, expected=(DistillationStatus.TEACHING,), to=to, eta_seconds=None
        ):
            enqueue_after_commit(session, TASK_OF[to], row.id)


def _release(session: Session, claimed: ClaimedRow) -> None:
    """Leave the teacher to the next worker, which starts at once if some distillation waits."""
    TeacherRepository(session).finish(
        claimed.row_id, fence=claimed.fencing_token, status=TeacherStatus.PENDING
    )
    if _is_wanted(session, claimed.row_id):
        enqueue_after_commit(session, Task.RECORD_TRAJECTORY, claimed.row_id)


def _log_handover(session: Session, teacher: Teacher) -> None:
    distillations = DistillationRepository(session)
    for row in distillations.taught_by(teacher.trajectory_set_id):
        distillations.log(row.id, row.status, DEVICE_LOST, teacher=teacher.index)


def _fail(session: Session, claimed: ClaimedRow, problem: JsonObject) -> None:
    """Fail the teacher, its set, and every distillation that waits for it."""
    TeacherRepository(session).finish(
        claimed.row_id,
        fence=claimed.fencing_token,
        status=TeacherStatus.FAILED,
        problem=problem,
    )
    trajectory_set_id = session.get_one(Teacher, claimed.row_id).trajectory_set_id
    TrajectorySetRepository(session).mark_failed(trajectory_set_id)
    distillations = DistillationRepository(session)
    for row in distillations.taught_by(trajectory_set_id):
        distillations.move(
            row.id,
            expected=(DistillationStatus.TEACHING,),
            to=DistillationStatus.FAILED,
            problem=problem,
        )


_KIND = JobKind(
    model=Teacher,
    task=Task.RECORD_TRAJECTORY,
    claim=lambda session, row_id, **lease: TeacherRepository(session).claim(row_id, **lease),
    is_wanted=_is_wanted,
    problem=partial(
        problem_of, doing="recording a teacher", kept="The teachers that are finished are kept."
    ),
    fail=_fail,
    release=_release,
    log_handover=_log_handover,
)

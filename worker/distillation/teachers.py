"""How one teacher is recorded, and how the last of a set sends its distillations on.

Teachers belong to a dataset and to teacher settings, not to a distillation. They run while at least
one distillation waits for them; without one they go back to `pending`, with what they have.
"""

import logging
from collections.abc import Callable

from sqlalchemy.orm import Session

from app.core import leases
from app.core.leases import LeaseLost
from app.core.queue import Task, enqueue_after_commit
from app.core.types import JsonObject
from app.distillations.repository import DistillationRepository
from app.distillations.trajectory_sets import TeacherRepository, TrajectorySetRepository
from app.models import Dataset, DistillationStatus, Teacher, TeacherStatus, TrajectorySet
from iadd.config import Config
from iadd.runtime.device import DeviceLostError
from worker.app import end_worker, process_name
from worker.distillation import pipeline
from worker.distillation.phases import TASK_OF
from worker.distillation.steps import first_missing_phase, images_key
from worker.jobs.checkpoints import Checkpoints
from worker.jobs.lease import Cancelled, Hold, Interrupted
from worker.jobs.problems import DEVICE_LOST, WorkersLostError, problem_of
from worker.jobs.progress import TeacherProgress
from worker.jobs.retries import carry_out
from worker.services import Services, get_services

logger = logging.getLogger(__name__)


def record(teacher_id: str) -> None:
    """Record the teacher's trajectory if nobody else has or does."""
    services = get_services()
    hold = _claim(services, teacher_id)
    if hold is None:
        logger.info("%s: nothing to do", teacher_id)
        return
    logger.info("%s: begins (fence %d)", teacher_id, hold.fence)
    try:
        carry_out(lambda: _teach(services, hold), hold)
    except LeaseLost as lost:
        logger.warning("%s", lost)
    except (Cancelled, Interrupted):
        _put_back(services, hold)
    except Exception as error:
        logger.exception("%s: failed", teacher_id)
        if isinstance(error, DeviceLostError):
            end_worker()
            if _hand_over(services, hold):
                return
        kept = "The teachers that are finished are kept."
        _fail(services, hold, problem_of(error, doing="recording a teacher", kept=kept))


def _claim(services: Services, teacher_id: str) -> Hold | None:
    with services.database.transaction() as session:
        repository = TeacherRepository(session)
        fence = repository.claim(
            teacher_id, owner=process_name(), seconds=services.settings.lease_seconds
        )
        teacher = repository.load(teacher_id)
    if fence is None or teacher is None:
        return None
    trajectory_set_id = teacher.trajectory_set_id

    def is_wanted(session: Session) -> bool:
        return TrajectorySetRepository(session).is_wanted(trajectory_set_id)

    return Hold(services, Teacher, teacher_id, fence, is_wanted=is_wanted)


def _teach(services: Services, hold: Hold) -> Callable[[], None]:
    """Train the teacher and store its trajectory; what it returns writes that down."""
    with services.database.reading() as session:
        teacher = session.get_one(Teacher, hold.row_id)
        trajectory_set = session.get_one(TrajectorySet, teacher.trajectory_set_id)
        dataset = session.get_one(Dataset, trajectory_set.dataset_id)
        wanted = TrajectorySetRepository(session).is_wanted(trajectory_set.id)
    if not wanted:
        raise Cancelled
    if teacher.takeovers >= services.worker_settings.largest_attempts:
        raise WorkersLostError(teacher.takeovers)
    config = Config.from_dict(trajectory_set.config)
    partials = Checkpoints(
        services.storage,
        hold,
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
            on_progress=TeacherProgress(services, hold, teacher, dataset, epochs),
        )

    def finish() -> None:
        with services.database.transaction() as session:
            TeacherRepository(session).finish(
                hold.row_id,
                fence=hold.fence,
                status=TeacherStatus.DONE,
                object_key=key,
                partial_key=None,
                epochs_done=epochs,
            )
            if TrajectorySetRepository(session).count_one_done(trajectory_set.id):
                _send_on(session, trajectory_set.id)
        logger.info("%s: done", hold.row_id)
        if partials.key is not None:
            services.storage.delete(partials.key)

    return finish


def _send_on(session: Session, trajectory_set_id: str) -> None:
    """Every distillation that waited for this set distills now."""
    repository = DistillationRepository(session)
    for row in repository.taught_by(trajectory_set_id):
        to = first_missing_phase(row)
        if repository.move(
            row.id, expected=(DistillationStatus.TEACHING,), to=to, eta_seconds=None
        ):
            enqueue_after_commit(session, TASK_OF[to], row.id)


def _put_back(services: Services, hold: Hold) -> None:
    """Leave the teacher to whoever comes next; at once, if somebody waits for it."""
    try:
        with services.database.transaction() as session:
            repository = TeacherRepository(session)
            repository.finish(hold.row_id, fence=hold.fence, status=TeacherStatus.PENDING)
            teacher = session.get_one(Teacher, hold.row_id)
            if TrajectorySetRepository(session).is_wanted(teacher.trajectory_set_id):
                enqueue_after_commit(session, Task.RECORD_TRAJECTORY, hold.row_id)
    except LeaseLost as lost:
        logger.warning("%s", lost)
    else:
        logger.info("%s: put back", hold.row_id)


def _hand_over(services: Services, hold: Hold) -> bool:
    """Leave the teacher to a worker whose GPU answers; False when too many have tried."""
    with services.database.transaction() as session:
        teacher = TeacherRepository(session).load(hold.row_id)
        most = services.worker_settings.largest_attempts
        if teacher is None or teacher.takeovers + 1 >= most:
            return False
        try:
            leases.give_up(session, Teacher, hold.row_id, fence=hold.fence)
        except LeaseLost as lost:
            logger.warning("%s", lost)
        else:
            distillations = DistillationRepository(session)
            for row in distillations.taught_by(teacher.trajectory_set_id):
                distillations.log(row.id, row.status, DEVICE_LOST, teacher=teacher.index)
            enqueue_after_commit(session, Task.RECORD_TRAJECTORY, hold.row_id)
    return True


def _fail(services: Services, hold: Hold, problem: JsonObject) -> None:
    """The teacher and its set fail, and with them every distillation that waits for it."""
    try:
        with services.database.transaction() as session:
            teachers = TeacherRepository(session)
            teachers.finish(
                hold.row_id, fence=hold.fence, status=TeacherStatus.FAILED, problem=problem
            )
            trajectory_set_id = session.get_one(Teacher, hold.row_id).trajectory_set_id
            TrajectorySetRepository(session).mark_failed(trajectory_set_id)
            distillations = DistillationRepository(session)
            for row in distillations.taught_by(trajectory_set_id):
                distillations.move(
                    row.id,
                    expected=(DistillationStatus.TEACHING,),
                    to=DistillationStatus.FAILED,
                    problem=problem,
                )
    except LeaseLost as lost:
        logger.warning("%s", lost)

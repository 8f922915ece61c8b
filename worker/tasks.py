"""The Celery tasks. A message carries the id of a row; the row says what is to be done.

Each may run twice, also at once: `worker.jobs.runner` says why that does no harm. Each returns
False if it had nothing to do; its message is then worth another row's turn (`worker.turns`).
"""

from app.core.queue import Task
from app.models import DistillationStatus
from worker import forecasts, trainings
from worker.datasets import check, scan_text
from worker.distillation import steps, teachers, twins
from worker.distillation.phases import run_phase
from worker.turns import handles


@handles(Task.CHECK_DATASET)
def check_dataset(dataset_id: str) -> bool:
    """Expects CHECKING; leaves READY or REJECTED."""
    return check.check(dataset_id)


@handles(Task.SCAN_TEXT)
def scan_for_text(scan_id: str) -> bool:
    """Expects a text scan WAITING; leaves it so for the next slice, or DONE."""
    return scan_text.scan(scan_id)


@handles(Task.START_DISTILLATION)
def start_distillation(distillation_id: str) -> bool:
    """Expects QUEUED; leaves TEACHING, or the first unfinished phase where teachers are there.

    Expects TEACHING too, where the teachers have ended: a row that they missed goes on from here.
    """
    return run_phase(
        distillation_id, DistillationStatus.QUEUED, steps.start, also=steps.restartable_statuses
    )


@handles(Task.RECORD_TRAJECTORY)
def record_trajectory(teacher_id: str) -> bool:
    """Expects a teacher PENDING; leaves it DONE, and its distillations DISTILLING if the last."""
    return teachers.record(teacher_id)


@handles(Task.DISTILL)
def distill(distillation_id: str) -> bool:
    """Expects DISTILLING; leaves EVALUATING."""
    return run_phase(distillation_id, DistillationStatus.DISTILLING, steps.distill)


@handles(Task.EVALUATE)
def evaluate(distillation_id: str) -> bool:
    """Expects EVALUATING; leaves AUDITING."""
    return run_phase(distillation_id, DistillationStatus.EVALUATING, steps.evaluate)


@handles(Task.RUN_TWINS)
def run_twins(twin_id: str) -> bool:
    """Expects repetitions PENDING; leaves them DONE, and sends AUDIT again if they are the last."""
    return twins.run(twin_id)


@handles(Task.AUDIT)
def audit(distillation_id: str) -> bool:
    """Expects AUDITING; leaves PACKAGING, with a verdict, or AUDITING while repetitions run."""
    return run_phase(distillation_id, DistillationStatus.AUDITING, steps.audit)


@handles(Task.PACKAGE)
def package(distillation_id: str) -> bool:
    """Expects PACKAGING; leaves READY."""
    return run_phase(distillation_id, DistillationStatus.PACKAGING, steps.package)


@handles(Task.PROPOSE_CLASS_MAPS)
def propose_class_maps(training_id: str) -> bool:
    """Expects a training PROPOSING; leaves it PROPOSED."""
    return trainings.propose(training_id)


@handles(Task.TRAIN)
def train(training_id: str) -> bool:
    """Expects a training QUEUED or RUNNING; leaves it READY."""
    return trainings.train(training_id)


@handles(Task.FORECAST)
def forecast(forecast_id: str) -> bool:
    """Expects a forecast QUEUED or MEASURING; leaves it READY or FAILED."""
    return forecasts.forecast(forecast_id)

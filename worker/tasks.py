"""The Celery tasks. A message carries the id of a row; the row says what is to be done.

Each may run twice, also at once: `worker.jobs.runner` says why that does no harm.
"""

from app.core.queue import Task
from app.models import DistillationStatus
from worker import forecasts, trainings
from worker.app import task
from worker.datasets import check, scan_text
from worker.distillation import steps, teachers, twins
from worker.distillation.phases import run_phase


@task(Task.CHECK_DATASET)
def check_dataset(dataset_id: str) -> None:
    """Expects CHECKING; leaves READY or REJECTED."""
    check.check(dataset_id)


@task(Task.SCAN_TEXT)
def scan_for_text(scan_id: str) -> None:
    """Expects a text scan WAITING; leaves it so for the next slice, or DONE."""
    scan_text.scan(scan_id)


@task(Task.START_DISTILLATION)
def start_distillation(distillation_id: str) -> None:
    """Expects QUEUED; leaves TEACHING, or the first unfinished phase where teachers are there.

    Expects TEACHING too, where the teachers have ended: a row that they missed goes on from here.
    """
    run_phase(
        distillation_id, DistillationStatus.QUEUED, steps.start, also=steps.restartable_statuses
    )


@task(Task.RECORD_TRAJECTORY)
def record_trajectory(teacher_id: str) -> None:
    """Expects a teacher PENDING; leaves it DONE, and its distillations DISTILLING if the last."""
    teachers.record(teacher_id)


@task(Task.DISTILL)
def distill(distillation_id: str) -> None:
    """Expects DISTILLING; leaves EVALUATING."""
    run_phase(distillation_id, DistillationStatus.DISTILLING, steps.distill)


@task(Task.EVALUATE)
def evaluate(distillation_id: str) -> None:
    """Expects EVALUATING; leaves AUDITING."""
    run_phase(distillation_id, DistillationStatus.EVALUATING, steps.evaluate)


@task(Task.RUN_TWINS)
def run_twins(twin_id: str) -> None:
    """Expects repetitions PENDING; leaves them DONE, and sends AUDIT again if they are the last."""
    twins.run(twin_id)


@task(Task.AUDIT)
def audit(distillation_id: str) -> None:
    """Expects AUDITING; leaves PACKAGING, with a verdict, or AUDITING while repetitions run."""
    run_phase(distillation_id, DistillationStatus.AUDITING, steps.audit)


@task(Task.PACKAGE)
def package(distillation_id: str) -> None:
    """Expects PACKAGING; leaves READY."""
    run_phase(distillation_id, DistillationStatus.PACKAGING, steps.package)


@task(Task.PROPOSE_CLASS_MAPS)
def propose_class_maps(training_id: str) -> None:
    """Expects a training PROPOSING; leaves it PROPOSED."""
    trainings.propose(training_id)


@task(Task.TRAIN)
def train(training_id: str) -> None:
    """Expects a training QUEUED or RUNNING; leaves it READY."""
    trainings.train(training_id)


@task(Task.FORECAST)
def forecast(forecast_id: str) -> None:
    """Expects a forecast QUEUED or MEASURING; leaves it READY or FAILED."""
    forecasts.forecast(forecast_id)

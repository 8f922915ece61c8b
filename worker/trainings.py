"""How a training is worked on: first which class is which, then the networks.

It has no checkpoint: a worker that takes it over trains anew, which costs a few minutes of small
networks on a machine with a GPU.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.access.policy import allow_download
from app.core.errors import Problem, problem_dict
from app.core.leases import LeaseLost, release
from app.core.queue import Task, enqueue_after_commit
from app.core.security import Caller, Role
from app.core.types import JsonObject
from app.models import Dataset, Release, Training, TrainingStatus
from app.releases.repository import ReleaseRepository
from app.trainings.repository import TrainingRepository
from iadd.bundle.bundle import Bundle, open_bundle
from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.runtime.device import DeviceLostError
from iadd.runtime.progress import Progress
from iadd.sharing.class_map import ClassMapError, propose_class_map
from iadd.sharing.compare import ComparisonError, compare, settings_for
from iadd.sharing.external_validation import score_release
from iadd.sharing.received import Received, SetMismatchError
from worker.app import end_worker, process_name
from worker.device import choose_device
from worker.distillation.pipeline import load_images
from worker.jobs.lease import Cancelled, Hold, Interrupted
from worker.jobs.problems import WorkersLostError, problem_of
from worker.jobs.progress import Pace, Throttle
from worker.jobs.retries import carry_out
from worker.services import Services, get_services

logger = logging.getLogger(__name__)

KEPT = "The releases and your dataset are as they were."


def propose(training_id: str) -> None:
    """Compare the names of the classes, for somebody to confirm."""
    _work_on(
        training_id,
        (TrainingStatus.PROPOSING,),
        Task.PROPOSE_CLASS_MAPS,
        _propose,
        "comparing names",
    )


def train(training_id: str) -> None:
    """Train the networks of every row, and test them."""
    statuses = (TrainingStatus.QUEUED, TrainingStatus.RUNNING)
    _work_on(training_id, statuses, Task.TRAIN, _train, "training")


Step = Callable[[Services, Hold], Callable[[], None]]


def _work_on(
    training_id: str, statuses: tuple[TrainingStatus, ...], task: Task, step: Step, doing: str
) -> None:
    services = get_services()
    with services.database.transaction() as session:
        fence = TrainingRepository(session).claim(
            training_id,
            statuses=statuses,
            owner=process_name(),
            seconds=services.settings.lease_seconds,
        )
    if fence is None:
        logger.info("%s: nothing to do", training_id)
        return
    hold = Hold(
        services,
        Training,
        training_id,
        fence,
        is_wanted=lambda session: TrainingRepository(session).is_wanted(training_id),
    )
    try:
        carry_out(lambda: step(services, hold), hold)
    except LeaseLost as lost:
        logger.warning("%s", lost)
    except Cancelled:
        _end(services, hold, TrainingStatus.CANCELLED)
    except Interrupted:
        _put_back(services, hold, task)
    except Exception as error:
        logger.exception("%s: %s failed", training_id, doing)
        if isinstance(error, DeviceLostError):
            end_worker()
        _end(services, hold, TrainingStatus.FAILED, problem=_problem(error, doing))


def _propose(services: Services, hold: Hold) -> Callable[[], None]:
    row, dataset, releases = _load(services, hold)
    ours = list(dataset.classes or {})
    with services.database.reading() as session:
        theirs = ReleaseRepository(session).classes([one.id for one in releases])
    maps = {name: propose_class_map(theirs[name], ours) for name in row.release_ids}
    return lambda: _end(services, hold, TrainingStatus.PROPOSED, class_maps=maps)


def _train(services: Services, hold: Hold) -> Callable[[], None]:
    row, dataset, releases = _load(services, hold)
    if dataset.images_key is None:
        raise FileNotFoundError(f"{dataset.id} has no images any more")
    hold.write(status=TrainingStatus.RUNNING, progress=None)
    images = load_images(services.storage, dataset.images_key)
    with services.scratch() as scratch:
        bundles = {one.id: _open(services, one, scratch) for one in releases}
    maps = row.class_maps or {}
    received = [Received(bundles[name].distilled, maps[name], name) for name in row.release_ids]
    result = _compute(services, hold, row, received, bundles, images)
    return lambda: _end(services, hold, TrainingStatus.READY, result=result)


def _compute(
    services: Services,
    hold: Hold,
    row: Training,
    received: list[Received],
    bundles: dict[str, Bundle],
    images: ImageSet,
) -> JsonObject:
    device = choose_device(services.worker_settings)
    report = _Report(services, hold)
    config = _config(row, received, images)
    table = compare(
        received,
        images,
        config,
        rows=row.rows,
        own_per_class=row.own_per_class,
        on_progress=report,
        device=device,
    )
    result: JsonObject = {"table": table.to_dict(), "notes": table.notes()}
    if len(received) == 1:
        (one,) = received
        score = score_release(
            one,
            images,
            fingerprint=bundles[one.name].fingerprint,
            on_progress=report,
            device=device,
        )
        result["score"] = score.to_dict()
    return result


def _config(row: Training, received: list[Received], images: ImageSet) -> Config:
    config = settings_for(received, images, own_per_class=row.own_per_class)
    return replace(
        config,
        seed=row.seed,
        evaluation=replace(config.evaluation, evaluation_networks=row.networks),
    )


def _open(services: Services, release: Release, scratch: Path) -> Bundle:
    path = scratch / f"{release.id}.zip"
    services.storage.download(release.bundle_key, path)
    return open_bundle(path)


def _load(services: Services, hold: Hold) -> tuple[Training, Dataset, list[Release]]:
    """The rows, if the organisation still may have the releases. Raises Problem."""
    with services.database.reading() as session:
        row = session.get_one(Training, hold.row_id)
        if row.cancel_requested_at is not None:
            raise Cancelled
        if row.takeovers >= services.worker_settings.largest_attempts:
            raise WorkersLostError(row.takeovers)
        dataset = session.get_one(Dataset, row.dataset_id)
        found = ReleaseRepository(session).find(row.release_ids)
        releases = [found[name] for name in row.release_ids]
        caller = Caller.on_behalf(row.organisation_id, Role.RESEARCHER, "worker")
        for one in releases:
            allow_download(session, caller, one)
    return row, dataset, releases


class _Report:
    """Progress into the row, at most once a second; the place where a training is stopped."""

    def __init__(self, services: Services, hold: Hold) -> None:
        self._hold = hold
        self._pace = Pace()
        self._throttle = Throttle(services.worker_settings.progress_seconds)

    def __call__(self, progress: Progress) -> None:
        self._hold.check()
        seconds = self._pace.seconds_per_unit(progress.done)
        if not self._throttle.lets_through(at_once=False):
            return
        left = None if seconds is None else seconds * (progress.total - progress.done)
        values: dict[str, Any] = {
            "progress": {
                "done": progress.done,
                "total": progress.total,
                "unit": progress.unit,
            },
            "eta_seconds": left,
        }
        self._hold.write(**values)


def _end(services: Services, hold: Hold, status: TrainingStatus, **values: Any) -> None:
    try:
        with services.database.transaction() as session:
            TrainingRepository(session).end(hold.row_id, fence=hold.fence, status=status, **values)
    except LeaseLost as lost:
        logger.warning("%s", lost)
    else:
        logger.info("%s: %s", hold.row_id, status.value)


def _put_back(services: Services, hold: Hold, task: Task) -> None:
    try:
        with services.database.transaction() as session:
            release(session, Training, hold.row_id, fence=hold.fence)
            enqueue_after_commit(session, task, hold.row_id)
    except LeaseLost as lost:
        logger.warning("%s", lost)


def _problem(error: Exception, doing: str) -> JsonObject:
    if isinstance(error, Problem):
        return error.as_dict()
    if isinstance(error, ClassMapError | SetMismatchError | ComparisonError):
        return problem_dict(
            code="sets-do-not-fit",
            title="These images cannot be trained on together",
            status=422,
            detail=f"{error} {KEPT} Start a new training.",
        )
    return problem_of(error, doing=doing, kept=KEPT)

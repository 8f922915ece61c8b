"""Trainings on releases: propose a class map, then train and test the networks.

A training has no checkpoint: a worker that takes it over trains anew, which costs a few minutes of
small networks on a machine with a GPU.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.access.policy import allow_download
from app.core.errors import Problem, problem_dict
from app.core.queue import Task
from app.core.security import Caller, Role
from app.core.types import JsonObject
from app.ledgers.store import TRAINING, book_exact_reads
from app.models import Dataset, Release, Training, TrainingStatus
from app.releases.repository import ReleaseRepository
from app.trainings.repository import TrainingRepository
from iadd.bundle.bundle import Bundle, open_bundle
from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.runtime.progress import Progress
from iadd.sharing.class_map import ClassMapError, propose_class_map
from iadd.sharing.compare import ComparisonError, compare, settings_for
from iadd.sharing.external_validation import score_release
from iadd.sharing.received import Received, SetMismatchError
from worker.device import choose_device
from worker.distillation.pipeline import load_images
from worker.jobs.lease import ClaimedRow
from worker.jobs.problems import problem_of
from worker.jobs.progress import Throttle, ThroughputMeter
from worker.jobs.runner import JobKind, run_job
from worker.services import Services

logger = logging.getLogger(__name__)

KEPT = "The releases and your dataset are unchanged."


def propose(training_id: str) -> bool:
    """Compare the names of the classes, for somebody to confirm."""
    statuses = (TrainingStatus.PROPOSING,)
    return run_job(
        _kind(statuses, Task.PROPOSE_CLASS_MAPS, "comparing names"), training_id, _propose
    )


def train(training_id: str) -> bool:
    """Train the networks of every row, and test them."""
    statuses = (TrainingStatus.QUEUED, TrainingStatus.RUNNING)
    return run_job(_kind(statuses, Task.TRAIN, "training"), training_id, _train)


def _kind(statuses: tuple[TrainingStatus, ...], task: Task, doing: str) -> JobKind[Training]:
    return JobKind(
        model=Training,
        task=task,
        claim=lambda session, row_id, **lease: TrainingRepository(session).claim(
            row_id, statuses=statuses, **lease
        ),
        is_wanted=lambda session, row_id: TrainingRepository(session).is_wanted(row_id),
        problem=partial(_problem, doing=doing),
        fail=lambda session, claimed, problem: _end(
            session, claimed, TrainingStatus.FAILED, problem=problem
        ),
        cancel=lambda session, claimed: _end(session, claimed, TrainingStatus.CANCELLED),
    )


def _end(session: Session, claimed: ClaimedRow, status: TrainingStatus, **values: Any) -> None:
    TrainingRepository(session).end(
        claimed.row_id, fence=claimed.fencing_token, status=status, **values
    )


def _propose(services: Services, claimed: ClaimedRow, row: Training) -> Callable[[], None]:
    dataset, releases = _load(services, row)
    ours = list(dataset.classes or {})
    with services.database.reading() as session:
        theirs = ReleaseRepository(session).classes([one.id for one in releases])
    maps = {name: propose_class_map(theirs[name], ours) for name in row.release_ids}
    return _finish(services, claimed, TrainingStatus.PROPOSED, class_maps=maps)


def _train(services: Services, claimed: ClaimedRow, row: Training) -> Callable[[], None]:
    dataset, releases = _load(services, row)
    if dataset.images_key is None:
        raise FileNotFoundError(f"{dataset.id} has no images any more")
    claimed.write(status=TrainingStatus.RUNNING, progress=None)
    book_exact_reads(services.database, dataset.id, run=row.id, purpose=TRAINING)
    images = load_images(services.storage, dataset.images_key)
    with services.scratch() as scratch:
        bundles = {one.id: _open(services, one, scratch) for one in releases}
    maps = row.class_maps or {}
    received = [Received(bundles[name].distilled, maps[name], name) for name in row.release_ids]
    result = _compute(services, claimed, row, received, bundles, images)
    return _finish(services, claimed, TrainingStatus.READY, result=result)


def _finish(
    services: Services, claimed: ClaimedRow, status: TrainingStatus, **values: Any
) -> Callable[[], None]:
    def finish() -> None:
        with services.database.transaction() as session:
            _end(session, claimed, status, **values)
        logger.info("%s: %s", claimed.row_id, status.value)

    return finish


def _compute(
    services: Services,
    claimed: ClaimedRow,
    row: Training,
    received: list[Received],
    bundles: dict[str, Bundle],
    images: ImageSet,
) -> JsonObject:
    device = choose_device(services.worker_settings)
    progress = _TrainingProgress(services, claimed)
    config = _config(row, received, images)
    table = compare(
        received,
        images,
        config,
        rows=row.rows,
        own_per_class=row.own_per_class,
        on_progress=progress,
        device=device,
    )
    result: JsonObject = {"table": table.to_dict(), "notes": table.notes()}
    if len(received) == 1:
        (one,) = received
        score = score_release(
            one,
            images,
            fingerprint=bundles[one.name].fingerprint,
            on_progress=progress,
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


def _load(services: Services, row: Training) -> tuple[Dataset, list[Release]]:
    """Load what it trains on, if the organisation still may have the releases. Raises Problem."""
    with services.database.reading() as session:
        dataset = session.get_one(Dataset, row.dataset_id)
        found = ReleaseRepository(session).find(row.release_ids)
        releases = [found[name] for name in row.release_ids]
        caller = Caller.on_behalf(row.organisation_id, Role.RESEARCHER, "worker")
        for one in releases:
            allow_download(session, caller, one)
    return dataset, releases


class _TrainingProgress:
    """Writes progress into the row, at most once a second; a training is stopped here."""

    def __init__(self, services: Services, claimed: ClaimedRow) -> None:
        self._claimed = claimed
        self._meter = ThroughputMeter()
        self._throttle = Throttle(services.worker_settings.progress_seconds)

    def __call__(self, progress: Progress) -> None:
        self._claimed.check()
        seconds = self._meter.seconds_per_unit(progress.done)
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
        self._claimed.write(**values)


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

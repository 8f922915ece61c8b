"""How an uploaded archive is checked."""

import json
import logging
from collections.abc import Callable

from app.core.errors import problem_dict
from app.core.leases import LeaseLost, release
from app.core.queue import Task, enqueue_after_commit
from app.datasets.repository import DatasetRepository
from app.models import Dataset
from iadd.progress import Progress
from worker.celery_app import process_name
from worker.hold import Cancelled, Hold, Interrupted
from worker.intake.examine import Rejected, examine
from worker.problems import WorkersLostError
from worker.retries import carry_out
from worker.services import Services, get_services

logger = logging.getLogger(__name__)


def check(dataset_id: str) -> None:
    """Read the dataset's archive if nobody else does."""
    services = get_services()
    with services.database.transaction() as session:
        fence = DatasetRepository(session).claim(
            dataset_id, owner=process_name(), seconds=services.settings.lease_seconds
        )
    if fence is None:
        logger.info("%s: nothing to check", dataset_id)
        return
    hold = Hold(services, Dataset, dataset_id, fence)
    try:
        carry_out(lambda: _examine(services, hold), hold)
    except LeaseLost as lost:
        logger.warning("%s", lost)
    except (Cancelled, Interrupted):
        _put_back(services, hold)
    except Exception as error:
        logger.exception("%s: check failed", dataset_id)
        _reject(services, hold, error)


def _examine(services: Services, hold: Hold) -> Callable[[], None]:
    """Read the archive and store what it holds; what this returns writes that down."""
    with services.database.reading() as session:
        dataset = session.get_one(Dataset, hold.row_id)
    if dataset.archive_key is None:
        raise FileNotFoundError(f"{dataset.id} has no archive")
    if dataset.takeovers >= services.worker_settings.largest_attempts:
        raise WorkersLostError(dataset.takeovers)

    def on_progress(progress: Progress) -> None:
        hold.check()

    with services.scratch() as scratch:
        archive = scratch / "archive"
        services.storage.download(dataset.archive_key, archive)
        hold.check()
        found = examine(archive, on_progress=on_progress)
    quality_key = f"datasets/{dataset.id}/quality.json"
    services.storage.put(quality_key, json.dumps(found.quality).encode())
    if isinstance(found, Rejected):
        problem = found.problem

        def reject() -> None:
            with services.database.transaction() as session:
                DatasetRepository(session).mark_rejected(
                    hold.row_id, fence=hold.fence, problem=problem, quality_key=quality_key
                )
            logger.info("%s: rejected", hold.row_id)

        return reject

    images_key = f"datasets/{dataset.id}/images.safetensors"
    services.storage.put(images_key, found.images)
    # A check that broke off may have left those of an archive that was replaced since.
    services.storage.delete_folder(f"datasets/{dataset.id}/thumbnails")
    for number, picture in enumerate(found.thumbnails):
        services.storage.put(f"datasets/{dataset.id}/thumbnails/{number:04d}.png", picture)
    classes = found.classes

    def accept() -> None:
        with services.database.transaction() as session:
            DatasetRepository(session).mark_ready(
                hold.row_id,
                fence=hold.fence,
                images_key=images_key,
                quality_key=quality_key,
                classes=classes,
            )
        logger.info("%s: ready", hold.row_id)

    return accept


def _put_back(services: Services, hold: Hold) -> None:
    try:
        with services.database.transaction() as session:
            release(session, Dataset, hold.row_id, fence=hold.fence)
            enqueue_after_commit(session, Task.CHECK_DATASET, hold.row_id)
    except LeaseLost as lost:
        logger.warning("%s", lost)


def _reject(services: Services, hold: Hold, error: Exception) -> None:
    """The fault is the service's, not the archive's; the row says so, and what to do."""
    if isinstance(error, WorkersLostError):
        cause = "The workers that read it ended abruptly, again and again: it may be too large."
    else:
        cause = f"An unexpected error ({type(error).__name__}) ended the reading."
    problem = problem_dict(
        code="check-failed",
        title="The archive could not be checked",
        status=500,
        detail=f"{cause} The archive is kept. Upload it again to have it checked once more; if "
        "that fails too, give the operator the id of this dataset: the worker's log tells more.",
    )
    try:
        with services.database.transaction() as session:
            DatasetRepository(session).mark_rejected(hold.row_id, fence=hold.fence, problem=problem)
    except LeaseLost as lost:
        logger.warning("%s", lost)

"""How an uploaded archive is checked."""

import json
import logging
from collections.abc import Callable

from sqlalchemy.orm import Session

from app.core.errors import problem_dict
from app.core.leases import LeaseLost, release
from app.core.queue import Task, enqueue_after_commit
from app.core.types import JsonObject
from app.datasets.repository import DatasetRepository
from app.models import Dataset
from app.withdrawals import service as withdrawals
from iadd.data.image_set import ImageSet
from worker.app import process_name
from worker.datasets.progress import CheckPhase, CheckProgress
from worker.datasets.read_archive import Accepted, Rejected, examine
from worker.datasets.sample import draw_archive
from worker.datasets.version_diff import count_changes
from worker.datasets.withdrawals import NOTHING_NAMED, TakenOut, forget_names, take_out
from worker.distillation.pipeline import load_images
from worker.jobs.lease import Cancelled, Hold, Interrupted
from worker.jobs.problems import WorkersLostError
from worker.jobs.retries import carry_out
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
    if dataset.takeovers >= services.worker_settings.largest_attempts:
        raise WorkersLostError(dataset.takeovers)

    told = CheckProgress(hold)
    taken: TakenOut | None = None
    archive_key = dataset.archive_key
    with services.scratch() as scratch:
        if dataset.withdrawal_id is not None:
            told.begin(CheckPhase.REMOVING)
            taken = take_out(services, hold, dataset, scratch)
            if taken.images == 0:
                return lambda: _keep(services, hold, dataset)
            archive_key = taken.columns["archive_key"]
        elif archive_key is None and dataset.is_sample:
            told.begin(CheckPhase.DRAWING)
            archive_key = draw_archive(services, hold, dataset, scratch)
        if archive_key is None:
            raise FileNotFoundError(f"{dataset.id} has no archive")
        archive = scratch / "archive"
        told.begin(CheckPhase.FETCHING)
        services.storage.download(archive_key, archive)
        hold.check()
        found = examine(archive, on_progress=told)
    told.begin(CheckPhase.STORING)
    quality_key = f"datasets/{dataset.id}/quality.json"
    quality = {**found.quality, "changes": _changes(services, dataset, found)}
    services.storage.put(quality_key, json.dumps(quality).encode())
    if isinstance(found, Rejected):
        problem = found.problem

        def reject() -> None:
            with services.database.transaction() as session:
                DatasetRepository(session).mark_rejected(
                    hold.row_id,
                    fence=hold.fence,
                    problem=problem,
                    quality_key=quality_key,
                    progress=None,
                    **_columns(taken),
                )
                _conclude(session, dataset, taken)
            _forget(services, dataset)
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
                progress=None,
                **_columns(taken),
            )
            _conclude(session, dataset, taken)
        _forget(services, dataset)
        logger.info("%s: ready", hold.row_id)

    return accept


def _changes(services: Services, dataset: Dataset, found: Accepted | Rejected) -> JsonObject | None:
    """What is different from the version before, where there is one that is still stored."""
    if dataset.previous_id is None or isinstance(found, Rejected):
        return None
    with services.database.reading() as session:
        previous = session.get_one(Dataset, dataset.previous_id)
    if previous.images_key is None:
        return None
    try:
        before = load_images(services.storage, previous.images_key)
    except FileNotFoundError:
        # Deleted at this moment.
        return None
    changes = count_changes(before, ImageSet.from_bytes(found.images))
    return None if changes is None else {"previous_id": previous.id, **changes}


def _columns(taken: TakenOut | None) -> JsonObject:
    """What a withdrawal leaves in the row."""
    return {} if taken is None else {**taken.columns, "withdrawal_id": None}


def _conclude(session: Session, dataset: Dataset, taken: TakenOut | None) -> None:
    if taken is not None and dataset.withdrawal_id is not None:
        withdrawals.conclude(session, dataset.withdrawal_id, images=taken.images)


def _forget(services: Services, dataset: Dataset) -> None:
    if dataset.withdrawal_id is not None:
        forget_names(services.storage, dataset.withdrawal_id)


def _keep(services: Services, hold: Hold, dataset: Dataset) -> None:
    """No file had a name that was to be withdrawn: the dataset stays as it was."""
    assert dataset.withdrawal_id is not None, "only a withdrawal names files"
    assert dataset.images_key is not None, "only from a dataset that is ready"
    assert dataset.quality_key is not None, "only from a dataset that is ready"
    with services.database.transaction() as session:
        DatasetRepository(session).mark_ready(
            hold.row_id,
            fence=hold.fence,
            images_key=dataset.images_key,
            quality_key=dataset.quality_key,
            classes=dataset.classes or {},
            progress=None,
            withdrawal_id=None,
        )
        withdrawals.fail(session, dataset.withdrawal_id, NOTHING_NAMED)
    logger.info("%s: nothing to withdraw", hold.row_id)


def _put_back(services: Services, hold: Hold) -> None:
    try:
        with services.database.transaction() as session:
            release(session, Dataset, hold.row_id, fence=hold.fence, progress=None)
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
            withdrawal_id = session.get_one(Dataset, hold.row_id).withdrawal_id
            DatasetRepository(session).mark_rejected(
                hold.row_id, fence=hold.fence, problem=problem, progress=None, withdrawal_id=None
            )
            if withdrawal_id is not None:
                withdrawals.fail(session, withdrawal_id, problem)
    except LeaseLost as lost:
        logger.warning("%s", lost)

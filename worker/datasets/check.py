"""The check of an uploaded archive: read it, store the images, accept or reject the dataset."""

import json
import logging
from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from app.core.errors import problem_dict
from app.core.queue import Task
from app.core.types import JsonObject
from app.datasets.repository import DatasetRepository
from app.models import Dataset
from app.withdrawals import service as withdrawals
from iadd.data.image_set import ImageSet
from worker.datasets.progress import CheckPhase, CheckProgress
from worker.datasets.read_archive import Accepted, Rejected, examine
from worker.datasets.sample import draw_archive
from worker.datasets.version_diff import count_changes
from worker.datasets.withdrawals import NOTHING_NAMED, RemovedFiles, forget_names, remove_files
from worker.distillation.pipeline import load_images
from worker.jobs.lease import ClaimedRow
from worker.jobs.problems import WorkersLostError
from worker.jobs.runner import JobKind, run_job
from worker.services import Services

logger = logging.getLogger(__name__)


def check(dataset_id: str) -> None:
    """Read the dataset's archive if no other worker does."""
    run_job(_KIND, dataset_id, _check)


def _check(services: Services, claimed: ClaimedRow, dataset: Dataset) -> Callable[[], None]:
    """Read the archive and store what it holds; return what writes that down."""
    progress = CheckProgress(claimed)
    removed: RemovedFiles | None = None
    archive_key = dataset.archive_key
    with services.scratch() as scratch:
        if dataset.withdrawal_id is not None:
            progress.begin(CheckPhase.REMOVING)
            removed = remove_files(services, claimed, dataset, scratch)
            if removed.images == 0:
                return lambda: _keep_unchanged(services, claimed, dataset)
            archive_key = removed.columns["archive_key"]
        elif archive_key is None and dataset.is_sample:
            progress.begin(CheckPhase.DRAWING)
            archive_key = draw_archive(services, claimed, dataset, scratch)
        if archive_key is None:
            raise FileNotFoundError(f"{dataset.id} has no archive")
        archive = scratch / "archive"
        progress.begin(CheckPhase.FETCHING)
        services.storage.download(archive_key, archive)
        claimed.check()
        found = examine(archive, on_progress=progress)
    progress.begin(CheckPhase.STORING)
    quality_key = f"datasets/{dataset.id}/quality.json"
    quality = {**found.quality, "changes": _changes(services, dataset, found)}
    services.storage.put(quality_key, json.dumps(quality).encode())
    mark: Callable[..., None]
    if isinstance(found, Rejected):
        mark = partial(DatasetRepository.mark_rejected, problem=found.problem)
    else:
        images_key = _store_images(services, dataset, found)
        mark = partial(DatasetRepository.mark_ready, images_key=images_key, classes=found.classes)
    columns = {} if removed is None else {**removed.columns, "withdrawal_id": None}

    def finish() -> None:
        with services.database.transaction() as session:
            mark(
                DatasetRepository(session),
                dataset.id,
                fence=claimed.fencing_token,
                quality_key=quality_key,
                progress=None,
                **columns,
            )
            if removed is not None and dataset.withdrawal_id is not None:
                withdrawals.conclude(session, dataset.withdrawal_id, images=removed.images)
        if dataset.withdrawal_id is not None:
            forget_names(services.storage, dataset.withdrawal_id)
        logger.info("%s: %s", dataset.id, "rejected" if isinstance(found, Rejected) else "ready")

    return finish


def _store_images(services: Services, dataset: Dataset, found: Accepted) -> str:
    """Store images and thumbnails; return the key of the images."""
    images_key = f"datasets/{dataset.id}/images.safetensors"
    services.storage.put(images_key, found.images)
    # An interrupted check may have left thumbnails of an archive that was replaced since.
    services.storage.delete_folder(f"datasets/{dataset.id}/thumbnails")
    for number, thumbnail in enumerate(found.thumbnails):
        services.storage.put(f"datasets/{dataset.id}/thumbnails/{number:04d}.png", thumbnail)
    return images_key


def _changes(services: Services, dataset: Dataset, found: Accepted | Rejected) -> JsonObject | None:
    """Count the changes since the previous version, where one is still stored."""
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


def _keep_unchanged(services: Services, claimed: ClaimedRow, dataset: Dataset) -> None:
    """Keep the dataset as it was: no file has a name that was to be withdrawn."""
    assert dataset.withdrawal_id is not None, "only a withdrawal names files"
    assert dataset.images_key is not None, "only from a dataset that is ready"
    assert dataset.quality_key is not None, "only from a dataset that is ready"
    with services.database.transaction() as session:
        DatasetRepository(session).mark_ready(
            claimed.row_id,
            fence=claimed.fencing_token,
            images_key=dataset.images_key,
            quality_key=dataset.quality_key,
            classes=dataset.classes or {},
            progress=None,
            withdrawal_id=None,
        )
        withdrawals.fail(session, dataset.withdrawal_id, NOTHING_NAMED)
    logger.info("%s: nothing to withdraw", claimed.row_id)


def _problem(error: Exception) -> JsonObject:
    """Describe a fault of the service, not of the archive, and what to do about it."""
    if isinstance(error, WorkersLostError):
        cause = "The workers that read it ended abruptly, again and again: it may be too large."
    else:
        cause = f"An unexpected error ({type(error).__name__}) ended the reading."
    return problem_dict(
        code="check-failed",
        title="The archive could not be checked",
        status=500,
        detail=f"{cause} The archive is kept. Upload it again to have it checked once more; if "
        "that fails too, give the operator the id of this dataset: the worker's log has the "
        "details.",
    )


def _reject(session: Session, claimed: ClaimedRow, problem: JsonObject) -> None:
    withdrawal_id = session.get_one(Dataset, claimed.row_id).withdrawal_id
    DatasetRepository(session).mark_rejected(
        claimed.row_id,
        fence=claimed.fencing_token,
        problem=problem,
        progress=None,
        withdrawal_id=None,
    )
    if withdrawal_id is not None:
        withdrawals.fail(session, withdrawal_id, problem)


_KIND = JobKind(
    model=Dataset,
    task=Task.CHECK_DATASET,
    claim=lambda session, row_id, **lease: DatasetRepository(session).claim(row_id, **lease),
    problem=_problem,
    fail=_reject,
    release_values={"progress": None},
)

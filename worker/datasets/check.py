"""The check of an uploaded archive: read it, store the images, accept or reject the dataset."""

import hashlib
import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from app.core.disc import is_disc_full
from app.core.errors import problem_dict
from app.core.outages import is_outage
from app.core.queue import Task
from app.core.types import JsonObject
from app.datasets.archives import forget_archive
from app.datasets.decisions import BEFORE, finding_files_key, open_holds, settled
from app.datasets.repository import DatasetRepository, check_cancelled
from app.datasets.service import refused_key
from app.datasets.texts import begin_scan, found_texts, hold_for_texts
from app.models import Dataset, Organisation
from app.withdrawals import service as withdrawals
from iadd.data.image_set import ImageSet
from iadd.intake.examine import IMAGES, REFUSED, SHEETS, THUMBNAILS
from iadd.intake.read import READ_FILES
from iadd.runtime.seal import DamagedError
from worker.datasets.progress import CheckPhase, CheckProgress
from worker.datasets.reader_process import run_reader
from worker.datasets.sample import draw_archive
from worker.datasets.version_diff import count_changes
from worker.datasets.withdrawals import NOTHING_NAMED, RemovedFiles, forget_names, remove_files
from worker.distillation.pipeline import load_images
from worker.jobs.lease import ClaimedRow
from worker.jobs.problems import WorkersLostError
from worker.jobs.runner import JobKind, run_job
from worker.services import Services

logger = logging.getLogger(__name__)

ARCHIVE_LOST = "archive-lost"


def check(dataset_id: str) -> bool:
    """Read the dataset's archive if no other worker does."""
    return run_job(_KIND, dataset_id, _check)


def _check(services: Services, claimed: ClaimedRow, dataset: Dataset) -> Callable[[], None]:
    """Make the dataset of its archive, or of the pictures that were read from it before."""
    progress = CheckProgress(claimed)
    removed: RemovedFiles | None = None
    read_key = dataset.read_key
    request = _request(services, dataset)
    with services.scratch() as scratch:
        out = scratch / "out"
        out.mkdir()
        if dataset.withdrawal_id is not None:
            progress.begin(CheckPhase.REMOVING)
            removed = remove_files(services, claimed, dataset, scratch, request)
            if removed.images == 0:
                return lambda: _keep_unchanged(services, claimed, dataset)
            read_key = removed.read_key
        if read_key is not None:
            progress.begin(CheckPhase.FETCHING)
            for name in READ_FILES:
                services.storage.download(f"{read_key}/{name}", out / name)
        else:
            archive = _fetch_archive(services, claimed, dataset, scratch, progress)
            request["source"] = str(archive)
        claimed.check()
        request |= {"out": str(out), "decisions": dataset.decisions}
        outcome = _examine(services, claimed, dataset, request, progress)
        progress.begin(CheckPhase.STORING)
        if outcome["status"] == "rejected" and dataset.read_key is not None and removed is None:
            return lambda: _keep_decisions(services, claimed, dataset, outcome)
        if outcome["status"] == "awaiting_mapping":
            return lambda: _ask(services, claimed, outcome)
        columns = _store(services, dataset, outcome, out, read_key)
    if removed is not None:
        columns |= {"archive_key": None, "withdrawal_id": None}
    return lambda: _finish(services, claimed, dataset, outcome, columns, removed)


def _request(services: Services, dataset: Dataset) -> JsonObject:
    """The part of the request that does not depend on where the pictures come from."""
    with services.database.reading() as session:
        key = session.get_one(Organisation, dataset.organisation_id).intake_key
    texts = [one["path"] for one in found_texts(services.storage, dataset.id)]
    return {"key": key, "mapping": dataset.mapping, "texts": texts}


def _fetch_archive(
    services: Services,
    claimed: ClaimedRow,
    dataset: Dataset,
    scratch: Path,
    progress: CheckProgress,
) -> Path:
    archive_key = dataset.archive_key
    if archive_key is None and dataset.is_sample:
        progress.begin(CheckPhase.DRAWING)
        archive_key = draw_archive(services, claimed, dataset, scratch)
    if archive_key is None:
        raise FileNotFoundError(f"{dataset.id} has no archive")
    progress.begin(CheckPhase.FETCHING)
    archive = scratch / "archive"
    services.storage.download(archive_key, archive)
    with archive.open("rb") as file:
        # A sample that has just been drawn is not in the row as it was read.
        if dataset.archive_key and dataset.sha256 not in (
            None,
            hashlib.file_digest(file, "sha256").hexdigest(),
        ):
            raise DamagedError(f"the archive of {dataset.id} is not as it arrived")
    return archive


def _examine(
    services: Services,
    claimed: ClaimedRow,
    dataset: Dataset,
    request: JsonObject,
    progress: CheckProgress,
) -> JsonObject:
    """Read; and again with the mapping that somebody confirmed for an archive of the same make."""
    outcome = run_reader(request, on_progress=progress, check=claimed.check)
    if outcome["status"] != "awaiting_mapping":
        return outcome
    with services.database.reading() as session:
        remembered = DatasetRepository(session).remembered_mapping(dataset, outcome["signature"])
    if remembered is None:
        return outcome
    with_it = run_reader(
        {**request, "mapping": remembered}, on_progress=progress, check=claimed.check
    )
    # Only where it still fits: else the person is asked, as if nothing were remembered.
    return outcome if with_it["status"] == "rejected" else with_it


def _store(
    services: Services, dataset: Dataset, outcome: JsonObject, out: Path, read_key: str | None
) -> JsonObject:
    """Store what was made; return the columns that name it."""
    storage, folder = services.storage, f"datasets/{dataset.id}"
    ready = outcome["status"] == "ready"
    quality = {
        **outcome["quality"],
        "changes": _changes(services, dataset, out / IMAGES) if ready else None,
        "accepted_findings": (dataset.decisions or {}).get("accepted", []),
    }
    columns: JsonObject = {"quality_key": f"{folder}/quality.json", "mapping": outcome["mapping"]}
    if (out / REFUSED).exists():
        storage.put(refused_key(dataset.id), out / REFUSED)
    storage.put(f"{folder}/quality.json", json.dumps(quality).encode())
    if not ready:
        return columns
    if read_key is None:
        read_key = f"{folder}/read"
        for name in READ_FILES:
            storage.put(f"{read_key}/{name}", out / name)
    storage.put(f"{folder}/images.safetensors", out / IMAGES)
    storage.put(finding_files_key(dataset.id), json.dumps(outcome["finding_files"]).encode())
    if read_key == f"{folder}/read" and dataset.read_key is None:
        # Of an archive that was replaced since.
        storage.delete_folder(f"{folder}/texts")
    # An interrupted check may have left pictures of an archive that was replaced since.
    for name in (THUMBNAILS, SHEETS):
        storage.delete_folder(f"{folder}/{name}")
        for path in sorted((out / name).iterdir()):
            storage.put(f"{folder}/{name}/{path.name}", path)
    return columns | {
        "read_key": read_key,
        "images_key": f"{folder}/images.safetensors",
        "classes": outcome["classes"],
        "layout": None,
        "split_by": quality["split_by"],
        "decisions": settled(dataset.decisions),
        "open_holds": open_holds(quality["findings"], quality["accepted_findings"]),
    }


def _finish(
    services: Services,
    claimed: ClaimedRow,
    dataset: Dataset,
    outcome: JsonObject,
    columns: JsonObject,
    removed: RemovedFiles | None,
) -> None:
    """Write the end into the row, and delete the archive that is not needed any more."""
    mark: Callable[..., None] = DatasetRepository.mark_ready
    is_new = outcome["status"] == "ready" and dataset.read_key is None and removed is None
    scans = is_new and services.settings.scan_text and not dataset.is_sample
    if outcome["status"] == "rejected":
        problem = problem_dict(status=422, **outcome["problem"])
        mark = partial(DatasetRepository.mark_rejected, problem=problem)
    with services.database.transaction() as session:
        mark(
            DatasetRepository(session),
            dataset.id,
            fence=claimed.fencing_token,
            progress=None,
            **columns,
        )
        if scans:
            begin_scan(session, dataset.id)
        if outcome["status"] == "ready":
            # By what the search has found by now: it may have ended while this was composed.
            hold_for_texts(session, services.storage, dataset.id)
        if removed is not None and dataset.withdrawal_id is not None:
            withdrawals.conclude(session, dataset.withdrawal_id, images=removed.images)
    if dataset.withdrawal_id is not None:
        forget_names(services.storage, dataset.withdrawal_id)
    if outcome["status"] == "ready":
        forget_archive(services.settings, services.database, services.storage, dataset.id)
    logger.info("%s: %s", dataset.id, outcome["status"])


def _keep_decisions(
    services: Services, claimed: ClaimedRow, dataset: Dataset, outcome: JsonObject
) -> None:
    """Keep the dataset as it was: with the new decisions nothing could be learnt from it."""
    problem = outcome["problem"]
    with services.database.transaction() as session:
        DatasetRepository(session).keep_as_it_was(
            claimed.row_id,
            fence=claimed.fencing_token,
            decisions=(dataset.decisions or {}).get(BEFORE, {}),
            problem=problem_dict(
                code="decision-not-carried-out",
                title="The last decision was not carried out",
                status=422,
                detail=f"With it, this would be so: {problem['title']}. The images and the earlier "
                "decisions are as they were before. Decide otherwise, or upload the archive with "
                "more images as the next version.",
            ),
        )
    logger.info("%s: stays as it was", claimed.row_id)


def _ask(services: Services, claimed: ClaimedRow, outcome: JsonObject) -> None:
    """Let a person say how the archive is to be read."""
    with services.database.transaction() as session:
        DatasetRepository(session).mark_awaiting_mapping(
            claimed.row_id,
            fence=claimed.fencing_token,
            layout=outcome["layout"],
            signature=outcome["signature"],
        )
    logger.info("%s: awaits a mapping", claimed.row_id)


def _changes(services: Services, dataset: Dataset, images: Path) -> JsonObject | None:
    """Count the changes since the previous version, where one is still stored."""
    if dataset.previous_id is None:
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
    changes = count_changes(before, ImageSet.load(images))
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
    if is_disc_full(error):
        return problem_dict(
            code="disc-full",
            title="The disc of the worker is full",
            status=507,
            detail="There was no room to read the archive. What was unpacked is deleted, and the "
            "archive is kept. Ask the operator to make room, then have it checked again.",
        )
    if isinstance(error, (FileNotFoundError, DamagedError)):
        return problem_dict(
            code=ARCHIVE_LOST,
            title="The archive is not as it arrived",
            status=410,
            detail="What is stored of it is missing or damaged, and nothing was read from it. "
            "Upload the archive again, to this dataset; if that fails too, tell the operator.",
        )
    if is_outage(error):
        return problem_dict(
            code="storage-unavailable",
            title="The database or the object store did not answer",
            status=503,
            detail=f"Several tries failed ({type(error).__name__}). The archive is kept. Have it "
            "checked again when the operator has repaired it.",
        )
    if isinstance(error, WorkersLostError):
        cause = "The workers that read it ended abruptly, again and again: it may be too large."
    else:
        cause = f"An unexpected error ({type(error).__name__}) ended the reading."
    return problem_dict(
        code="check-failed",
        title="The archive could not be checked",
        status=500,
        detail=f"{cause} The archive is kept. Have it checked again; if that fails too, give the "
        "operator the id of this dataset: the worker's log has the details.",
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


def _cancel(session: Session, claimed: ClaimedRow) -> None:
    _reject(session, claimed, check_cancelled())


_KIND = JobKind(
    model=Dataset,
    task=Task.CHECK_DATASET,
    claim=lambda session, row_id, **lease: DatasetRepository(session).claim(row_id, **lease),
    problem=_problem,
    fail=_reject,
    cancel=_cancel,
    is_wanted=lambda session, row_id: not DatasetRepository(session).cancel_requested(row_id),
    release_values={"progress": None},
)

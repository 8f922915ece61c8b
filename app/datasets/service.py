"""Datasets: create, receive the archive, read reports, delete."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.db import Database
from app.core.errors import Conflict, Invalid, NotFound, TooLarge
from app.core.queue import Task, enqueue_after_commit
from app.core.security import Caller
from app.core.storage import Storage
from app.datasets.repository import (
    ACCEPTS_UPLOAD,
    CHECK_CANCELLED,
    DatasetRepository,
    ReadableDatasets,
)
from app.datasets.schemas import DatasetCreate, ThumbnailRead
from app.models.dataset import Dataset, DatasetStatus
from app.models.distillation import ACTIVE
from app.organisations.quotas import allow_dataset, no_room, room_for_archive

THUMBNAIL_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\.png")


LOOK_BYTES = 8 * 1024 * 1024
"""Bytes of an archive after which the room on the disc is looked at again."""

FINDING_CODE = re.compile(r"[a-z_]{1,60}")


class NotAwaitingUpload(Conflict):
    code = "dataset-not-awaiting-upload"
    title = "The dataset does not accept an archive now"


class EmptyArchive(Invalid):
    code = "archive-empty"
    title = "The archive is empty"


class ArchiveTooLarge(TooLarge):
    code = "archive-too-large"
    title = "The archive is too large"


class NothingToCheck(Conflict):
    code = "nothing-to-check-again"
    title = "There is nothing to check again"


class NothingToCancel(Conflict):
    code = "nothing-to-cancel"
    title = "There is no check to cancel"


class DatasetInUse(Conflict):
    code = "dataset-in-use"
    title = "The dataset is in use"


class ThumbnailNotFound(NotFound):
    code = "thumbnail-not-found"
    title = "No such thumbnail"


class HasNextVersion(Conflict):
    code = "dataset-has-next-version"
    title = "The dataset has a next version"


class SampleHasNoVersions(Conflict):
    code = "sample-has-no-versions"
    title = "The sample cohort has no versions"


class SampleTakesNoArchive(NotAwaitingUpload):
    code = "sample-takes-no-archive"
    title = "The sample cohort does not accept an archive"


@dataclass(frozen=True)
class StoredArchive:
    key: str
    size: int
    sha256: str


def create(session: Session, caller: Caller, body: DatasetCreate) -> Dataset:
    """Raises DatasetNotFound, HasNextVersion, SampleHasNoVersions, QuotaExceeded."""
    datasets = DatasetRepository(session)
    allow_dataset(session, caller.organisation_id)
    dataset = Dataset(
        organisation_id=caller.organisation_id, name=body.name, description=body.description
    )
    if body.previous_id is None:
        datasets.add(dataset)
        record(session, caller, Action.DATASET_CREATED, dataset.id)
        return dataset
    previous = _to_follow(datasets.readable_by(caller), body.previous_id)
    dataset.first_id = previous.line_id
    dataset.version = datasets.next_version(previous)
    datasets.add(dataset)
    record(
        session,
        caller,
        Action.DATASET_CREATED,
        dataset.id,
        previous=previous.id,
        version=dataset.version,
    )
    return dataset


def _to_follow(datasets: ReadableDatasets, dataset_id: str) -> Dataset:
    """Find a dataset that may get a next version. Raises DatasetNotFound and the two above."""
    # `allow_dataset` holds the organisation, so no other version can come between.
    previous = datasets.get(dataset_id)
    if previous.is_sample:
        raise SampleHasNoVersions(
            "It is the sample cohort, whose images are synthetic. No dataset was made. Make a "
            "dataset of your own, without `previous_id`."
        )
    if previous.next_id is not None:
        raise HasNextVersion(
            f"{previous.next_id} is its next version. No dataset was made. Follow the newest "
            f"version; GET /api/v1/datasets/{dataset_id}/versions lists them.",
            next_id=previous.next_id,
        )
    return previous


def versions(session: Session, caller: Caller, dataset_id: str) -> Sequence[Dataset]:
    """All versions of a dataset, the oldest first. Raises DatasetNotFound."""
    datasets = DatasetRepository(session).readable_by(caller)
    return datasets.line(datasets.get(dataset_id))


def expect_archive(
    session: Session, caller: Caller, dataset_id: str, *, besides: str | None = None
) -> int:
    """Count the bytes that the organisation has room for, besides those of one upload.

    Raises DatasetNotFound, NotAwaitingUpload.
    """
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    _refuse_sample(dataset)
    if dataset.status not in ACCEPTS_UPLOAD:
        raise _not_awaiting(dataset.status)
    # An archive that was rejected makes way for this one.
    room = room_for_archive(session, caller.organisation_id, besides=besides)
    return room + (dataset.size or 0)


def empty_archive() -> EmptyArchive:
    return EmptyArchive(
        "An empty archive was sent. The dataset still awaits its archive: send a zip or tar file."
    )


def archive_too_large(limit: int) -> ArchiveTooLarge:
    return ArchiveTooLarge(
        f"The archive has more than {limit} bytes, the most that this portal takes. The dataset "
        "still awaits its archive. Send a smaller one, or ask the operator to raise "
        "EXCHANGE_MAX_ARCHIVE_BYTES.",
        limit=limit,
    )


def accept_archive(
    session: Session, caller: Caller, dataset_id: str, archive: StoredArchive
) -> tuple[Dataset, str | None]:
    """`awaiting_upload | rejected → checking`; the dataset, and the key it no longer names.

    Raises DatasetNotFound, NotAwaitingUpload, StorageExceeded.
    """
    datasets = DatasetRepository(session)
    dataset = datasets.readable_by(caller).get(dataset_id, lock=True)
    _refuse_sample(dataset)
    # Again: several uploads at once each saw room for itself.
    room = room_for_archive(session, caller.organisation_id, lock=True) + (dataset.size or 0)
    if archive.size > room:
        raise no_room(room)
    replaced = dataset.archive_key
    if not datasets.accept_archive(
        dataset_id, key=archive.key, size=archive.size, sha256=archive.sha256
    ):
        raise _not_awaiting(dataset.status)
    enqueue_after_commit(session, Task.CHECK_DATASET, dataset_id)
    record(
        session,
        caller,
        Action.ARCHIVE_UPLOADED,
        dataset_id,
        size=archive.size,
        sha256=archive.sha256,
    )
    session.refresh(dataset)
    return dataset, replaced


def check_again(session: Session, caller: Caller, dataset_id: str) -> Dataset:
    """`rejected → checking`, where a fault of the service, or somebody, ended the check.

    Raises DatasetNotFound, NothingToCheck.
    """
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id, lock=True)
    if not may_check_again(dataset):
        raise NothingToCheck(
            f"The dataset is {dataset.status.value}, and no fault of the service ended a check of "
            "it. Nothing was changed. Upload another archive where this one was rejected.",
            dataset_status=dataset.status.value,
        )
    dataset.status, dataset.problem, dataset.takeovers = DatasetStatus.CHECKING, None, 0
    session.flush()
    enqueue_after_commit(session, Task.CHECK_DATASET, dataset_id)
    record(session, caller, Action.CHECK_REPEATED, dataset_id)
    return dataset


def may_check_again(dataset: Dataset) -> bool:
    """True after a check that failed by a fault of the service, or was cancelled."""
    has_pictures = dataset.archive_key is not None or dataset.read_key is not None
    fault: int = (dataset.problem or {}).get("status", 0)
    cancelled = str((dataset.problem or {}).get("type", "")).endswith(f":{CHECK_CANCELLED}")
    ended = fault >= 500 or cancelled
    return has_pictures and dataset.status == DatasetStatus.REJECTED and ended


def cancel_check(session: Session, caller: Caller, dataset_id: str) -> Dataset:
    """End the check of an archive: at once where it waits, else within seconds.

    Raises DatasetNotFound, NothingToCancel.
    """
    datasets = DatasetRepository(session)
    dataset = datasets.readable_by(caller).get(dataset_id, lock=True)
    if not may_cancel_check(dataset):
        raise NothingToCancel(
            f"The dataset is {dataset.status.value}, and no first check of an archive is under "
            "way. Nothing was changed. What was decided or withdrawn is carried out to its end.",
            dataset_status=dataset.status.value,
        )
    datasets.request_cancel(dataset_id)
    datasets.cancel_idle(dataset_id)
    record(session, caller, Action.CHECK_CANCELLED, dataset_id)
    session.refresh(dataset)
    return dataset


def may_cancel_check(dataset: Dataset) -> bool:
    """True while an archive is read for the first time: no image is lost then."""
    return (
        dataset.status == DatasetStatus.CHECKING
        and dataset.read_key is None
        and dataset.withdrawal_id is None
    )


def _refuse_sample(dataset: Dataset) -> None:
    """Whatever was uploaded there would pass for synthetic images."""
    if dataset.is_sample:
        raise SampleTakesNoArchive(
            "The portal generates its images. Nothing was stored. Make a dataset of your own: "
            "POST /api/v1/datasets.",
            dataset_status=dataset.status.value,
        )


def _not_awaiting(status: DatasetStatus) -> NotAwaitingUpload:
    advice = {
        DatasetStatus.CHECKING: "Its archive has arrived and is being checked; follow it with "
        "GET /api/v1/datasets/{id}.",
        DatasetStatus.READY: "Its archive was checked and is in use; make a new dataset for "
        "another archive.",
    }
    return NotAwaitingUpload(
        f"The dataset is {status.value}. {advice.get(status, '')} What is stored was kept.",
        dataset_status=status.value,
    )


def refused_key(dataset_id: str) -> str:
    return f"datasets/{dataset_id}/refused.jsonl"


def thumbnails(
    session: Session, storage: Storage, caller: Caller, dataset_id: str
) -> list[ThumbnailRead]:
    """Raises DatasetNotFound."""
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    names = sorted(
        info.key.rpartition("/")[2] for info in storage.list(f"datasets/{dataset.id}/thumbnails")
    )
    return [
        ThumbnailRead(name=name, href=f"/api/v1/datasets/{dataset.id}/thumbnails/{name}")
        for name in names
        if THUMBNAIL_NAME.fullmatch(name)
    ]


def see_thumbnail(
    database: Database, storage: Storage, caller: Caller, dataset_id: str, name: str
) -> bytes:
    """A PNG. Raises DatasetNotFound, ThumbnailNotFound."""
    key = f"thumbnails/{name}" if THUMBNAIL_NAME.fullmatch(name) else None
    return _see_picture(
        *(database, storage, caller, dataset_id, key),
        missing="The dataset has no thumbnail of this name; "
        f"GET /api/v1/datasets/{dataset_id}/thumbnails lists them.",
    )


def see_finding_picture(
    database: Database, storage: Storage, caller: Caller, dataset_id: str, code: str
) -> bytes:
    """A PNG of what a finding is about. Raises DatasetNotFound, ThumbnailNotFound."""
    key = f"sheets/{code}.png" if FINDING_CODE.fullmatch(code) else None
    return _see_picture(
        *(database, storage, caller, dataset_id, key),
        missing="There is no picture for a finding of this code; the quality report says which "
        "have one (`has_picture`).",
    )


def _see_picture(
    database: Database,
    storage: Storage,
    caller: Caller,
    dataset_id: str,
    key: str | None,
    *,
    missing: str,
) -> bytes:
    """Read a picture, and then write down that it was seen: no reader holds up a writer."""
    with database.reading() as session:
        dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    content = None if key is None else storage.find(f"datasets/{dataset.id}/{key}")
    if content is None:
        raise ThumbnailNotFound(missing)
    with database.transaction() as session:
        record(session, caller, Action.IMAGES_SEEN, dataset_id)
    return content


def delete(session: Session, caller: Caller, dataset_id: str) -> None:
    """Hide it from now on; `purge_dataset` then removes its objects.

    Refused while a distillation or the check of the archive runs: deleting somebody's running
    work has to be a decision of its own.

    Raises DatasetNotFound, DatasetInUse.
    """
    datasets = DatasetRepository(session)
    dataset = datasets.readable_by(caller).get(dataset_id, lock=True)
    refuse_while_in_use(session, dataset)
    datasets.mark_deleted(dataset)
    record(session, caller, Action.DATASET_DELETED, dataset_id)


def refuse_while_in_use(session: Session, dataset: Dataset) -> None:
    """Raises DatasetInUse while a distillation of it, or the check of its archive, runs."""
    datasets = DatasetRepository(session)
    running = [row.id for row in datasets.distillations(dataset.id, ACTIVE)]
    if running:
        raise DatasetInUse(
            f"{len(running)} distillation(s) of it are running. Nothing was changed. Cancel them "
            "(POST /api/v1/distillations/{id}/cancel), wait until they are `cancelled`, and "
            "try again.",
            distillations=running,
        )
    trainings = datasets.trainings_running(dataset.id)
    if trainings:
        raise DatasetInUse(
            f"{len(trainings)} training(s) with it are running. Nothing was changed. Cancel them "
            "(POST /api/v1/trainings/{id}/cancel), wait until they are `cancelled`, and try "
            "again.",
            trainings=list(trainings),
        )
    if dataset.status == DatasetStatus.CHECKING:
        raise DatasetInUse(
            "Its archive is being checked. Nothing was changed. Try again when it is `ready` or "
            "`rejected`.",
            distillations=[],
        )

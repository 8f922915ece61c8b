"""Distillations: start, cancel, retry, delete, find results."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.errors import Conflict, Invalid, NotFound
from app.core.queue import Queue, Task, enqueue_after_commit
from app.core.security import Caller
from app.core.storage import Storage
from app.datasets.repository import DatasetNotFound, DatasetRepository
from app.distillations.presets import Preset, audit_settings, get_preset
from app.distillations.repository import DistillationRepository
from app.distillations.schemas import DistillationCreate
from app.maintenance.workers import working_workers
from app.models.dataset import Dataset, DatasetStatus
from app.models.distillation import ACTIVE, Distillation, DistillationStatus
from app.organisations.quotas import allow_run
from iadd.bundle.format import CERTIFICATE


class DatasetNotReady(Conflict):
    code = "dataset-not-ready"
    title = "The dataset is not ready"


class ClassTooSmall(Invalid):
    code = "class-too-small"
    title = "A class has too few images"


class DoesNotFit(Invalid):
    code = "does-not-fit"
    title = "These settings need more memory than any worker has"


class DistillationFinished(Conflict):
    code = "distillation-finished"
    title = "The distillation has ended"


class NotRetryable(Conflict):
    code = "distillation-not-retryable"
    title = "The distillation cannot be retried"


class DatasetDeleted(Conflict):
    code = "dataset-deleted"
    title = "The dataset was deleted"


class ResultNotReady(Conflict):
    code = "result-not-ready"
    title = "The result is not there yet"


class ResultNotMade(NotFound):
    code = "result-not-made"
    title = "There is no such result"


class DistillationRunning(Conflict):
    code = "distillation-running"
    title = "The distillation is running"


def start(
    session: Session, caller: Caller, dataset_id: str, body: DistillationCreate
) -> Distillation:
    """A row that is `queued`, and one message.

    Raises DatasetNotFound, UnknownPreset, UnknownAudit, InvalidSettings, DatasetNotReady,
    ClassTooSmall, DoesNotFit, QuotaExceeded.
    """
    dataset, preset, settings = check_request(session, caller, dataset_id, body)
    asked = settings_hash(preset.name, settings)
    _expect_to_fit(session, caller, dataset.id, asked)
    allow_run(session, caller.organisation_id)
    distillations = DistillationRepository(session)
    distillation = distillations.add(
        Distillation(
            organisation_id=caller.organisation_id,
            dataset_id=dataset.id,
            preset=preset.name,
            images_per_class=settings["images_per_class"],
            initialisation=settings["initialisation"],
            seed=settings["seed"],
            audit=body.audit,
            priority=body.priority,
            overrides={**audit_settings(body.audit), **body.overrides},
            forecast_id=distillations.readable_by(caller).newest_forecast(dataset.id, asked),
        )
    )
    enqueue_after_commit(session, Task.START_DISTILLATION, distillation.id)
    record(
        session,
        caller,
        Action.DISTILLATION_STARTED,
        distillation.id,
        dataset=dataset.id,
        preset=preset.name,
    )
    return distillation


def _expect_to_fit(session: Session, caller: Caller, dataset_id: str, asked: str) -> None:
    """Refuse what the forecast of these settings has shown to fit on no living worker.

    Where nobody asked for a forecast, or no worker tells its memory, nothing is known and nothing
    is refused. Raises DoesNotFit.
    """
    problem = DistillationRepository(session).readable_by(caller).newest_problem(dataset_id, asked)
    if problem is None or "needed_bytes" not in problem:
        return
    workers = [one for one in working_workers(session) if Queue.GPU in one.queues]
    memories = [one.memory_bytes for one in workers if one.memory_bytes is not None]
    if not memories or len(memories) < len(workers):
        return
    if max(memories) < problem["needed_bytes"]:
        raise DoesNotFit(
            problem["detail"],
            needed_bytes=problem["needed_bytes"],
            memory_bytes=max(memories),
            fits=problem["fits"],
        )


def settings_hash(preset: str, settings: Mapping[str, Any]) -> str:
    """Identify all settings of a distillation, to find the forecast that was made of them."""
    document = {"preset": preset, **settings}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def check_request(
    session: Session, caller: Caller, dataset_id: str, body: DistillationCreate
) -> tuple[Dataset, Preset, dict[str, Any]]:
    """The dataset, locked, and all settings by flat name, if it can be distilled so.

    Raises DatasetNotFound, UnknownPreset, UnknownAudit, InvalidSettings, DatasetNotReady,
    ClassTooSmall.
    """
    # The row is locked, so that no deletion of the dataset can come between.
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id, lock=True)
    preset = get_preset(body.preset)
    chosen: dict[str, Any] = {"seed": body.seed}
    if body.images_per_class is not None:
        chosen["images_per_class"] = body.images_per_class
    if body.initialisation is not None:
        chosen["initialisation"] = body.initialisation
    settings = preset.settings(chosen, {**audit_settings(body.audit), **body.overrides})
    if dataset.status != DatasetStatus.READY:
        raise DatasetNotReady(
            f"The dataset is {dataset.status.value}; it has to be `ready`. No distillation was "
            "started. GET /api/v1/datasets/{id} shows its status, or why it was rejected.",
            dataset_status=dataset.status.value,
        )
    _check_class_sizes(dataset, settings)
    return dataset, preset, settings


def _check_class_sizes(dataset: Dataset, settings: dict[str, Any]) -> None:
    counts = {name: splits.get("train", 0) for name, splits in (dataset.classes or {}).items()}
    smallest = min(counts, key=lambda name: counts[name])
    most = counts[smallest]
    if settings["images_per_class"] > most:
        raise ClassTooSmall(
            f"images_per_class is {settings['images_per_class']}, and the class {smallest!r} has "
            f"{most} training images. No distillation was started. Ask for 1 to {most}.",
            where="images_per_class",
            allowed=[1, most],
            training_images=counts,
        )
    if settings["initialisation"] == "k_mean" and settings["k_mean_images"] > most:
        raise ClassTooSmall(
            f"Under k_mean each start is the mean of {settings['k_mean_images']} different images, "
            f"and the class {smallest!r} has {most} training images. No distillation was started. "
            'Ask for "initialisation": "public", or upload a dataset with more images.',
            where="initialisation",
            training_images=counts,
        )


def cancel(session: Session, caller: Caller, distillation_id: str) -> Distillation:
    """Cancelled at once if no worker holds it; else its worker stops at the next step.

    Raises DistillationNotFound, DistillationFinished.
    """
    distillations = DistillationRepository(session)
    distillation = distillations.readable_by(caller).get(distillation_id, lock=True)
    if distillation.status in (DistillationStatus.READY, DistillationStatus.FAILED):
        raise DistillationFinished(
            f"It is {distillation.status.value} already; there is nothing to cancel, and nothing "
            "was changed.",
            distillation_status=distillation.status.value,
        )
    distillations.request_cancel(distillation_id)
    distillations.move(distillation_id, expected=ACTIVE, to=DistillationStatus.CANCELLED)
    record(session, caller, Action.DISTILLATION_CANCELLED, distillation_id)
    session.refresh(distillation)
    return distillation


def retry(session: Session, caller: Caller, distillation_id: str) -> Distillation:
    """`failed | cancelled → queued`. What was computed is kept and used.

    Raises DistillationNotFound, NotRetryable, DatasetDeleted.
    """
    distillations = DistillationRepository(session)
    distillation = distillations.readable_by(caller).get(distillation_id, lock=True)
    try:
        # The row is locked, so that no deletion of the dataset can come between.
        DatasetRepository(session).readable_by(caller).get(distillation.dataset_id, lock=True)
    except DatasetNotFound as error:
        raise DatasetDeleted(
            "Its dataset was deleted, so it cannot be computed again. Nothing was changed. "
            "Upload the archive as a new dataset and distill that."
        ) from error
    if distillation.withdrawal_id is not None:
        raise NotRetryable(
            "Images that it works on were withdrawn. Nothing was changed. POST "
            f"/api/v1/distillations/{distillation_id}/again makes it anew without them.",
            distillation_status=distillation.status.value,
        )
    moved = distillations.move(
        distillation_id,
        expected=(DistillationStatus.FAILED, DistillationStatus.CANCELLED),
        to=DistillationStatus.QUEUED,
        attempt=Distillation.attempt + 1,
        cancel_requested_at=None,
        finished_at=None,
        problem=None,
    )
    if not moved:
        raise NotRetryable(
            f"It is {distillation.status.value}; only one that failed or was cancelled can be "
            "tried again. Nothing was changed.",
            distillation_status=distillation.status.value,
        )
    enqueue_after_commit(session, Task.START_DISTILLATION, distillation_id)
    record(session, caller, Action.DISTILLATION_RETRIED, distillation_id)
    session.refresh(distillation)
    return distillation


def start_again(session: Session, caller: Caller, distillation_id: str) -> Distillation:
    """A new one with the same settings, of the dataset as it is now.

    Raises DistillationNotFound, DatasetDeleted, and what `start` raises.
    """
    old = DistillationRepository(session).readable_by(caller).get(distillation_id)
    body = DistillationCreate(
        preset=old.preset,
        images_per_class=old.images_per_class,
        initialisation=old.initialisation,
        seed=old.seed,
        audit=old.audit,
        priority=old.priority,
        overrides=old.overrides,
    )
    try:
        return start(session, caller, old.dataset_id, body)
    except DatasetNotFound as error:
        raise DatasetDeleted(
            "Its dataset was deleted, so it cannot be computed again. Nothing was started."
        ) from error


def delete(session: Session, caller: Caller, distillation_id: str) -> None:
    """Hide it from now on; `purge_distillation` then removes its objects.

    Raises DistillationNotFound, DistillationRunning.
    """
    distillations = DistillationRepository(session)
    distillation = distillations.readable_by(caller).get(distillation_id, lock=True)
    if not distillation.status.is_final:
        raise DistillationRunning(
            f"It is {distillation.status.value}. Nothing was deleted. Cancel it "
            "(POST …/cancel), wait until it is `cancelled`, and delete again.",
            distillation_status=distillation.status.value,
        )
    distillations.mark_deleted(distillation)
    record(session, caller, Action.DISTILLATION_DELETED, distillation_id)


def download_key(
    session: Session, caller: Caller, distillation_id: str, column: str, *instead: str
) -> str:
    """Like `result_key`, for a download, which the log records."""
    key = result_key(session, caller, distillation_id, column, *instead)
    name = column.removesuffix("_key")
    record(session, caller, Action.RESULT_DOWNLOADED, distillation_id, result=name)
    return key


def certificate_key(
    session: Session, storage: Storage, caller: Caller, distillation_id: str, kind: str
) -> str:
    """The key of a file of the privacy certificate, which lies beside the report.

    Raises DistillationNotFound, ResultNotReady, ResultNotMade.
    """
    report = result_key(session, caller, distillation_id, "report_json_key")
    key = f"{report.rpartition('/')[0]}/{CERTIFICATE[kind]}"
    try:
        storage.info(key)
    except FileNotFoundError as error:
        raise ResultNotMade(
            "It was made before there were privacy certificates. Nothing was changed. The other "
            "results are there; POST …/again distills with the same settings and makes all of them."
        ) from error
    return key


def record_certificate(session: Session, caller: Caller, distillation_id: str, kind: str) -> None:
    """Write down that a certificate is downloaded."""
    record(session, caller, Action.RESULT_DOWNLOADED, distillation_id, result=f"certificate_{kind}")


def result_key(
    session: Session, caller: Caller, distillation_id: str, column: str, *instead: str
) -> str:
    """The key of a result, from the first column of `instead` that has one, or `column`.

    Raises DistillationNotFound, ResultNotReady.
    """
    distillation = DistillationRepository(session).readable_by(caller).get(distillation_id)
    keys = [getattr(distillation, name) for name in (*instead, column)]
    key: str | None = next((key for key in keys if key is not None), None)
    if key is not None and distillation.status == DistillationStatus.READY:
        return key
    status = distillation.status
    if status == DistillationStatus.READY:
        raise ResultNotMade(
            "It was made before this kind of result was. Nothing was changed. The other results "
            "are there; POST …/again distills with the same settings and makes all of them."
        )
    advice = (
        "POST …/retry continues where it stopped."
        if status.is_final
        else "Try again when it is `ready`; GET …/events reports it."
    )
    raise ResultNotReady(
        f"The distillation is {status.value}. {advice}", distillation_status=status.value
    )

"""Trainings on received releases and own images: start, confirm, cancel."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.access.policy import allow_download
from app.audit.log import Action, record
from app.core.clock import utc_now
from app.core.errors import Conflict, Invalid
from app.core.queue import Task, enqueue_after_commit
from app.core.security import Caller
from app.datasets.repository import DatasetRepository
from app.distillations.service import DatasetNotReady
from app.models.dataset import Dataset, DatasetStatus
from app.models.release import Release
from app.models.training import OPEN, Training, TrainingStatus
from app.organisations.quotas import allow_run
from app.releases.repository import ReleaseRepository
from app.releases.service import count_download
from app.trainings.repository import TrainingRepository
from app.trainings.schemas import TrainingConfirm, TrainingCreate

Maps = Mapping[str, Mapping[str, str | None]]


class ClassMapsMisfit(Invalid):
    code = "class-maps-misfit"
    title = "The class maps do not match"


class NotProposed(Conflict):
    code = "training-not-proposed"
    title = "There is nothing to confirm"


class TrainingFinished(Conflict):
    code = "training-finished"
    title = "The training has ended"


def start(session: Session, caller: Caller, body: TrainingCreate) -> Training:
    """A row, and one message: to propose class maps where there are none, else to train.

    Raises DatasetNotFound, DatasetNotReady, ReleaseNotFound, ClassMapsMisfit, QuotaExceeded, and
    what `app.access.policy.allow_download` raises: training on a release is having it.
    """
    dataset = DatasetRepository(session).readable_by(caller).get(body.dataset_id, lock=True)
    if dataset.status != DatasetStatus.READY:
        raise DatasetNotReady(
            f"The dataset is {dataset.status.value}; it has to be `ready`. Nothing was started.",
            dataset_status=dataset.status.value,
        )
    release_ids = list(dict.fromkeys(body.release_ids))
    releases = []
    for release_id in release_ids:
        release = ReleaseRepository(session).readable_by(caller).get(release_id)
        access = allow_download(session, caller, release)
        releases.append((release, access))
    if body.class_maps is not None:
        check_maps(session, dataset, [release for release, _ in releases], body.class_maps)
    allow_run(session, caller.organisation_id)
    proposed = body.class_maps is None
    training = TrainingRepository(session).add(
        Training(
            organisation_id=caller.organisation_id,
            dataset_id=dataset.id,
            release_ids=release_ids,
            class_maps=body.class_maps,
            rows=list(dict.fromkeys(row.value for row in body.rows)),
            own_per_class=body.own_per_class,
            networks=body.networks,
            seed=body.seed,
            status=TrainingStatus.PROPOSING if proposed else TrainingStatus.QUEUED,
        )
    )
    enqueue_after_commit(session, Task.PROPOSE_CLASS_MAPS if proposed else Task.TRAIN, training.id)
    for release, access in releases:
        count_download(session, caller, release, access, training=training.id)
    record(
        session,
        caller,
        Action.TRAINING_STARTED,
        training.id,
        dataset=dataset.id,
        releases=release_ids,
    )
    return training


def check_maps(session: Session, dataset: Dataset, releases: list[Release], maps: Maps) -> None:
    """Raises ClassMapsMisfit where a map names what is not there, or a release has none."""
    ours = set(dataset.classes or {})
    theirs = ReleaseRepository(session).classes([release.id for release in releases])
    for release in releases:
        given = maps.get(release.id)
        if given is None or set(given) != set(theirs[release.id]):
            raise ClassMapsMisfit(
                f"The release {release.id} has the classes {', '.join(theirs[release.id])}; map "
                "each of them, to an own class or to null. Nothing was started.",
                release_id=release.id,
                classes=theirs[release.id],
            )
        strange = sorted({own for own in given.values() if own is not None} - ours)
        if strange:
            raise ClassMapsMisfit(
                f"Your dataset has no class {', '.join(strange)}; it has "
                f"{', '.join(sorted(ours))}. Nothing was started.",
                release_id=release.id,
                classes=sorted(ours),
            )
    unknown = sorted(set(maps) - {release.id for release in releases})
    if unknown:
        raise ClassMapsMisfit(f"It trains on no release {', '.join(unknown)}. Nothing was started.")
    if len({own for given in maps.values() for own in given.values() if own is not None}) < 2:
        raise ClassMapsMisfit(
            "A classifier needs at least two classes, and the maps lead to fewer. Nothing "
            "was started."
        )


def confirm(session: Session, caller: Caller, training_id: str, body: TrainingConfirm) -> Training:
    """Go on with these class maps. Raises TrainingNotFound, NotProposed, ClassMapsMisfit."""
    training = TrainingRepository(session).readable_by(caller).get(training_id, lock=True)
    if training.status != TrainingStatus.PROPOSED:
        raise NotProposed(
            f"It is `{training.status.value}`. Nothing was changed.",
            training_status=training.status.value,
        )
    dataset = DatasetRepository(session).readable_by(caller).get(training.dataset_id)
    releases = ReleaseRepository(session).find(training.release_ids)
    check_maps(session, dataset, list(releases.values()), body.class_maps)
    training.class_maps, training.status = dict(body.class_maps), TrainingStatus.QUEUED
    session.flush()
    enqueue_after_commit(session, Task.TRAIN, training.id)
    return training


def cancel(session: Session, caller: Caller, training_id: str) -> Training:
    """Cancelled at once if no worker holds it; else its worker stops at the next step.

    Raises TrainingNotFound, TrainingFinished.
    """
    trainings = TrainingRepository(session)
    training = trainings.readable_by(caller).get(training_id, lock=True)
    if training.status not in (*OPEN, TrainingStatus.CANCELLED):
        raise TrainingFinished(
            f"It is `{training.status.value}` already. Nothing was changed.",
            training_status=training.status.value,
        )
    training.cancel_requested_at = training.cancel_requested_at or utc_now()
    session.flush()
    trainings.cancel_idle(training_id, OPEN)
    record(session, caller, Action.TRAINING_CANCELLED, training_id)
    session.refresh(training)
    return training

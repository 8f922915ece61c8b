"""Recovers abandoned rows and finishes deletions. Every portal sweeps; each step happens once.

A worker that was killed leaves a lease that runs out; a broker that lost a message leaves a row
that waits for nothing. Both are sent again here, long before the broker's visibility timeout.
Deletions that a dying portal left half done are finished, and old idempotency keys forgotten.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete

from app.access import grants
from app.auth.failures import forget_old_failures
from app.auth.sessions.repository import WebSessionRepository
from app.core import leases
from app.core.clock import utc_now
from app.core.outages import is_outage
from app.core.portal import Portal
from app.core.queue import Queue, enqueue_after_commit
from app.datasets.archives import forget_archive
from app.datasets.purge import purge_dataset
from app.datasets.repository import DatasetRepository
from app.datasets.uploads.purge import end_expired, forget_uploads, purge_ended
from app.datasets.uploads.streamed import end_abandoned
from app.distillations.purge import purge_distillation
from app.distillations.repository import DistillationRepository
from app.models.dataset import Dataset, DatasetStatus
from app.models.distillation import ACTIVE, Distillation, DistillationStatus
from app.models.idempotency_key import IdempotencyKey
from app.models.training import UNFINISHED as UNFINISHED_TRAININGS
from app.models.training import Training
from app.organisations.keys.repository import KeyRepository
from app.organisations.keys.service import create_first
from app.organisations.repository import OrganisationRepository
from app.releases.warnings import warn_owners
from app.scheduling import device_use
from app.scheduling.duties import DUTIES, Duty, duties_of
from app.trainings.repository import TrainingRepository

logger = logging.getLogger(__name__)


def sweep(portal: Portal) -> bool:
    """One round, and whether every step of it ended well.

    A step that fails is tried again in the next round; the others still run.
    """
    steps: Sequence[Callable[[Portal], None]] = (
        finish_cancelling,
        send_abandoned,
        send_waiting,
        finish_deletions,
        hold_reserve,
        forget_keys,
        forget_device_use,
        remind_of_access,
        end_sessions,
        make_missing_keys,
        end_expired,
        end_abandoned,
        purge_ended,
        forget_uploads,
        forget_archives,
        warn_of_releases,
    )
    failed = False
    for step in steps:
        try:
            step(portal)
        except Exception as error:
            failed = True
            if is_outage(error):
                kind = type(error).__name__
                logger.warning("sweeper: %s is tried again: %s", step.__name__, kind)
            else:
                logger.exception("sweeper: %s failed, and is tried again", step.__name__)
    return not failed


def finish_cancelling(portal: Portal) -> None:
    """Cancel jobs with a cancel request and no worker."""
    with portal.database.reading() as session:
        asked = leases.idle(
            session, Distillation, ACTIVE, Distillation.cancel_requested_at.is_not(None)
        )
    for distillation_id in asked:
        with portal.database.transaction() as session:
            moved = DistillationRepository(session).move(
                distillation_id, expected=ACTIVE, to=DistillationStatus.CANCELLED
            )
        if moved:
            logger.info("distillation %s: cancelled", distillation_id)
    with portal.database.reading() as session:
        asked = leases.idle(
            session, Training, UNFINISHED_TRAININGS, Training.cancel_requested_at.is_not(None)
        )
    for training_id in asked:
        with portal.database.transaction() as session:
            TrainingRepository(session).cancel_idle(training_id, UNFINISHED_TRAININGS)
    with portal.database.reading() as session:
        asked = leases.idle(
            session, Dataset, (DatasetStatus.CHECKING,), Dataset.cancel_requested_at.is_not(None)
        )
    for dataset_id in asked:
        with portal.database.transaction() as session:
            DatasetRepository(session).cancel_idle(dataset_id)


def send_abandoned(portal: Portal) -> None:
    """Send jobs again whose lease has expired: their worker is dead."""
    for duty in DUTIES:
        with portal.database.reading() as session:
            abandoned = leases.abandoned(session, duty.model, duty.statuses, duty.where)
        _send_again(portal, duty, abandoned)


def send_waiting(portal: Portal) -> None:
    """Untouched for a while, and there are fewer messages than rows that wait for one.

    A long queue is no reason to send again: each of its rows has its message.
    """
    untouched_since = _untouched_since(portal)
    for queue in Queue:
        duties = duties_of(queue)
        with portal.database.reading() as session:
            waiting = [
                leases.waiting(session, duty.model, duty.statuses, duty.where) for duty in duties
            ]
        stale = [
            [row_id for row_id, touched in rows.items() if touched < untouched_since]
            for rows in waiting
        ]
        if not any(stale) or portal.queue.waiting(queue) >= sum(map(len, waiting)):
            continue
        for duty, row_ids in zip(duties, stale, strict=True):
            _send_again(portal, duty, row_ids)


def _untouched_since(portal: Portal) -> datetime:
    return utc_now() - timedelta(seconds=portal.settings.stale_seconds)


def forget_archives(portal: Portal) -> None:
    """Delete archives that a killed worker left after it had read them."""
    with portal.database.reading() as session:
        dataset_ids = DatasetRepository(session).with_read_archive()
    for dataset_id in dataset_ids:
        forget_archive(portal.settings, portal.database, portal.storage, dataset_id)


def warn_of_releases(portal: Portal) -> None:
    """Notify the owners of releases that a migration has marked."""
    warn_owners(portal.database)


def _send_again(portal: Portal, duty: Duty, row_ids: Sequence[str]) -> None:
    for row_id in row_ids:
        with portal.database.transaction() as session:
            freed = leases.free(
                session,
                duty.model,
                row_id,
                statuses=duty.statuses,
                untouched_since=_untouched_since(portal),
            )
            if freed:
                enqueue_after_commit(session, duty.task, row_id)
        if freed:
            logger.warning("sent again: %s %s", duty.task.value, row_id)


def finish_deletions(portal: Portal) -> None:
    with portal.database.reading() as session:
        datasets = DatasetRepository(session).to_purge()
        distillations = DistillationRepository(session).to_purge()
    if not datasets and not distillations:
        return
    with portal.reserve.opened():
        for dataset_id in datasets:
            purge_dataset(portal.database, portal.storage, dataset_id)
        for distillation_id in distillations:
            purge_distillation(portal.database, portal.storage, distillation_id)


def hold_reserve(portal: Portal) -> None:
    """Hold room for deletions again, once there is some."""
    portal.reserve.hold()


def forget_keys(portal: Portal) -> None:
    before = utc_now() - timedelta(hours=portal.settings.idempotency_hours)
    with portal.database.transaction() as session:
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < before))


def forget_device_use(portal: Portal) -> None:
    with portal.database.transaction() as session:
        device_use.forget_old(session)


def remind_of_access(portal: Portal) -> None:
    with portal.database.transaction() as session:
        grants.remind(session)


def end_sessions(portal: Portal) -> None:
    now = utc_now()
    with portal.database.transaction() as session:
        WebSessionRepository(session).delete_ended(now, now - portal.settings.session_idle)
        forget_old_failures(session, now)


def make_missing_keys(portal: Portal) -> None:
    """Organisations of a database from before there were keys and logs get theirs."""
    with portal.database.reading() as session:
        without = KeyRepository(session).organisations_without()
    for organisation_id in without:
        with portal.database.transaction() as session:
            OrganisationRepository(session).get(organisation_id, lock=True)
            if not KeyRepository(session).of_organisation(organisation_id):
                create_first(session, portal.vault, organisation_id, by="the portal")

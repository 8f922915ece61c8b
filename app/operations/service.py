"""Operators' view of workers, queues, storage and jobs, and cancelling a job."""

import logging
import shutil
from collections import defaultdict
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.clock import utc_now
from app.core.errors import Conflict, Forbidden, NotFound
from app.core.portal import Portal
from app.core.queue import Queue
from app.core.security import Caller, Permission
from app.core.version import VERSION
from app.distillations.repository import DistillationRepository
from app.maintenance.admission import explain
from app.maintenance.drain import drained_since
from app.maintenance.portals import ALIVE_FOR, living
from app.maintenance.workers import refusal_told, seen_workers, working_workers
from app.models.distillation import ACTIVE, Distillation, DistillationStatus
from app.models.scheduled_backup import ONLY as SCHEDULED
from app.models.scheduled_backup import BackupStatus, ScheduledBackup
from app.models.training import OPEN, Training, TrainingStatus
from app.notifications.service import Notice, notify_organisation
from app.operations import jobs
from app.operations.repository import OperationsRepository
from app.operations.schemas import (
    Disk,
    HeldRow,
    JobCancel,
    JobKind,
    JobRead,
    PortalRead,
    QueueRead,
    QueuesRead,
    ScheduledBackupRead,
    ServiceRead,
    StorageOfOrganisation,
    StorageRead,
    WorkerRead,
    WorkersRead,
)
from app.organisations.quotas import quota_of
from app.organisations.repository import OrganisationRepository
from app.scheduling.duties import duties_of
from app.trainings.repository import TrainingRepository

logger = logging.getLogger(__name__)

SHOWN_FOR = timedelta(hours=1)
"""One that died is shown for so long."""


class JobNotFound(NotFound):
    code = "job-not-found"
    title = "No such job"


class JobEnded(Conflict):
    code = "job-ended"
    title = "There is nothing to cancel"


def workers(session: Session, caller: Caller) -> WorkersRead:
    """The processes that run tasks, and the rows that each holds."""
    _for_operators(caller)
    now = utc_now()
    operations = OperationsRepository(session)
    held = defaultdict(list)
    for row in operations.held(now):
        held[jobs.process_of(row.owner)].append(row)
    return WorkersRead(
        items=[
            WorkerRead(
                id=worker.id,
                host=worker.host,
                pid=worker.pid,
                queues=worker.queues,
                device=worker.device,
                memory_bytes=worker.memory_bytes,
                version=worker.version,
                started_at=worker.started_at,
                seen_at=worker.seen_at,
                alive=worker.seen_at >= now - ALIVE_FOR,
                refusal=(reason := refusal_told(worker)),
                advice=None if reason is None else explain(reason, VERSION, worker.version),
                holds=[
                    HeldRow(
                        kind=row.kind,
                        id=row.id,
                        since=worker.row_since if worker.row_id == row.id else None,
                    )
                    for row in held[worker.id]
                ],
            )
            for worker in seen_workers(session, now - SHOWN_FOR)
        ]
    )


def service(portal: Portal, session: Session, caller: Caller) -> ServiceRead:
    """Whether the service is drained, its portals, and its scheduled backups."""
    _for_operators(caller)
    hours = portal.settings.backup_hours
    backup = session.get(ScheduledBackup, SCHEDULED) or ScheduledBackup(status=BackupStatus.NONE)
    return ServiceRead(
        version=VERSION,
        drained_at=drained_since(session),
        portals=[
            PortalRead(
                id=found.id,
                version=found.version,
                started_at=found.started_at,
                seen_at=found.seen_at,
            )
            for found in living(session)
        ],
        backup=ScheduledBackupRead(
            hours=hours,
            status=backup.status,
            tried_at=backup.tried_at,
            made_at=backup.made_at,
            size=backup.size,
            problem=backup.problem,
        )
        if hours
        else None,
    )


def queues(portal: Portal, session: Session, caller: Caller) -> QueuesRead:
    """Queue lengths, and the age of the oldest waiting row."""
    _for_operators(caller)
    # Before the first query: a broker that is slow to answer holds no snapshot of the database.
    messages = _messages(portal)
    now = utc_now()
    operations = OperationsRepository(session)
    taking = working_workers(session)
    items = []
    for queue in Queue:
        loads = [operations.load(duty, now) for duty in duties_of(queue)]
        items.append(
            QueueRead(
                name=queue,
                messages=messages[queue],
                waiting=sum(load.waiting for load in loads),
                held=sum(load.held for load in loads),
                oldest_waiting_since=min(
                    (load.oldest for load in loads if load.oldest is not None), default=None
                ),
                workers=sum(queue.value in worker.queues for worker in taking),
            )
        )
    return QueuesRead(items=items)


def _messages(portal: Portal) -> dict[Queue, int | None]:
    found: dict[Queue, int | None] = dict.fromkeys(Queue)
    if portal.settings.is_hub:
        return dict.fromkeys(Queue, 0)
    try:
        for queue in Queue:
            found[queue] = portal.queue.waiting(queue)
    except Exception as error:  # noqa: BLE001 (whatever the driver raises, the answer is "unknown")
        logger.warning("the broker does not answer: %s", type(error).__name__)
    return found


def storage(
    portal: Portal, session: Session, caller: Caller, *, cursor: str | None, limit: int
) -> StorageRead:
    """The disk of the data folder, and what each organisation stores."""
    _for_operators(caller)
    portal.settings.data_dir.mkdir(parents=True, exist_ok=True)
    disk = shutil.disk_usage(portal.settings.data_dir)
    page = OrganisationRepository(session).page(cursor=cursor, limit=limit)
    stored = OperationsRepository(session).stored_bytes()
    return StorageRead(
        disk=Disk(total_bytes=disk.total, free_bytes=disk.free),
        stored_bytes=sum(stored.values()),
        items=[
            StorageOfOrganisation(
                organisation_id=organisation.id,
                organisation=organisation.name,
                stored_bytes=stored.get(organisation.id, 0),
                quota_bytes=quota_of(organisation).stored_bytes,
            )
            for organisation in page.items
        ],
        next_cursor=page.next_cursor,
    )


def list_jobs(
    session: Session,
    caller: Caller,
    *,
    kind: JobKind | None = None,
    status: str | None = None,
    organisation_id: str | None = None,
    active: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[JobRead], str | None]:
    """A page of the jobs of all organisations, newest first, and the cursor of the next one."""
    _for_operators(caller)
    page = jobs.page(
        session,
        kind=kind,
        status=status,
        organisation_id=organisation_id,
        active=active,
        cursor=cursor,
        limit=limit,
    )
    return jobs.read(session, page.items), page.next_cursor


def cancel_job(session: Session, caller: Caller, job_id: str, body: JobCancel) -> JobRead:
    """Cancel an organisation's distillation or training, with a log entry and a notice there.

    What was computed is kept: its owner may try a distillation again.

    Raises JobNotFound, JobEnded.
    """
    _for_operators(caller)
    distillation = session.scalar(
        select(Distillation)
        .where(Distillation.id == job_id, Distillation.deleted_at.is_(None))
        .with_for_update()
    )
    training = session.scalar(select(Training).where(Training.id == job_id).with_for_update())
    if distillation is not None:
        action, organisation_id = Action.DISTILLATION_CANCELLED, distillation.organisation_id
        _refuse_ended(distillation.status, ACTIVE)
        distillations = DistillationRepository(session)
        distillations.request_cancel(job_id)
        distillations.move(job_id, expected=ACTIVE, to=DistillationStatus.CANCELLED)
        link = f"/distillations/{job_id}"
    elif training is not None:
        action, organisation_id = Action.TRAINING_CANCELLED, training.organisation_id
        _refuse_ended(training.status, OPEN)
        training.cancel_requested_at = training.cancel_requested_at or utc_now()
        session.flush()
        TrainingRepository(session).cancel_idle(job_id, OPEN)
        link = f"/trainings/{job_id}"
    else:
        raise JobNotFound(
            "No distillation or training has this id; GET /api/v1/operations/jobs lists them. "
            "Checks of archives and withdrawals take minutes, and cannot be cancelled."
        )
    notify_organisation(
        session,
        organisation_id,
        Permission.DISTILL,
        Notice(
            kind="job.cancelled",
            title="The operator of the portal has cancelled a job",
            text=f"{body.reason}\n\nWhat was computed is kept. Ask the operator before you start "
            "it again.",
            link=link,
            data={"job": job_id},
        ),
    )
    record(
        session,
        caller,
        action,
        job_id,
        also=(organisation_id,),
        by_operator=True,
        reason=body.reason,
    )
    session.expire_all()
    [job] = jobs.read(session, [jobs.get(session, job_id)])
    return job


def _refuse_ended(
    status: DistillationStatus | TrainingStatus,
    active: tuple[DistillationStatus, ...] | tuple[TrainingStatus, ...],
) -> None:
    if status not in active:
        raise JobEnded(
            f"It is {status.value} already. Nothing was changed.", job_status=status.value
        )


def _for_operators(caller: Caller) -> None:
    """Check the permission for pages and commands too. Raises Forbidden."""
    if not caller.may(Permission.OPERATE):
        raise Forbidden("This is for operators of the portal. Nothing was changed.")

from typing import Annotated

from fastapi import APIRouter, Query

from app.auth.dependencies import Once, Operator
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession, WriteSession
from app.core.schemas import PageRead, problems
from app.operations import service
from app.operations.schemas import (
    JobCancel,
    JobKind,
    JobRead,
    QueuesRead,
    StatusRead,
    StorageRead,
    WorkersRead,
)
from app.operations.status import service_status

router = APIRouter(prefix="/operations", tags=["operations"], responses=problems(401, 403, 422))


@router.get("/status")
def get_status(portal: PortalDep, caller: Operator) -> StatusRead:
    """The service on one screen: what answers, who works on what, and what is broken."""
    return service_status(portal, caller)


@router.get("/workers")
def list_workers(session: ReadSession, caller: Operator) -> WorkersRead:
    """Worker processes by their heartbeats, and the rows that each holds."""
    return service.workers(session, caller)


@router.get("/queues")
def list_queues(session: ReadSession, portal: PortalDep, caller: Operator) -> QueuesRead:
    """Queue lengths, and since when the oldest row waits."""
    return service.queues(portal, session, caller)


@router.get("/storage")
def get_storage(
    session: ReadSession,
    portal: PortalDep,
    caller: Operator,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> StorageRead:
    """The disk, and how much each organisation stores."""
    return service.storage(portal, session, caller, cursor=cursor, limit=limit)


@router.get("/jobs")
def list_jobs(
    session: ReadSession,
    caller: Operator,
    kind: Annotated[JobKind | None, Query(description="Only those; teachers are no jobs.")] = None,
    status: Annotated[str | None, Query(max_length=32, description="As in `failed`.")] = None,
    organisation_id: Annotated[str | None, Query(max_length=40)] = None,
    active: Annotated[bool, Query(description="Only those that wait or run.")] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PageRead[JobRead]:
    """Checks of archives, distillations, trainings and withdrawals of all organisations."""
    items, next_cursor = service.list_jobs(
        session,
        caller,
        kind=kind,
        status=status,
        organisation_id=organisation_id,
        active=active,
        cursor=cursor,
        limit=limit,
    )
    return PageRead[JobRead](items=items, next_cursor=next_cursor)


@router.post("/jobs/{job_id}/cancel", status_code=202, responses=problems(400, 404, 409, 413))
def cancel_job(
    job_id: str, body: JobCancel, session: WriteSession, caller: Operator, once: Once
) -> JobRead:
    """Cancel a distillation or training of any organisation, which is notified of the reason."""
    return once(JobRead, lambda: service.cancel_job(session, caller, job_id, body))

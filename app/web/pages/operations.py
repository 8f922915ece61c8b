"""Pages for operators: workers, queues, disk and jobs, nothing that organisations store."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.core.dependencies import Cursor, PortalDep, ReadSession, WriteSession
from app.core.pagination import Page
from app.core.portal import Portal
from app.core.security import Caller
from app.operations import service
from app.operations.schemas import JobCancel, JobKind, JobRead
from app.web.dependencies import Operator
from app.web.forms import Sent, checked
from app.web.render import go_to, is_fragment, page

router = APIRouter(prefix="/operations")

KINDS = (JobKind.DATASET, JobKind.DISTILLATION, JobKind.TRAINING, JobKind.WITHDRAWAL)
CANCELLABLE = (JobKind.DISTILLATION, JobKind.TRAINING)
AT_A_GLANCE = 20
"""Running jobs on the first page; the list of jobs has all."""


@router.get("")
def show_operations(
    request: Request, session: ReadSession, portal: PortalDep, caller: Operator
) -> Response:
    """The whole overview; the page reloads it every few seconds."""
    template = "operations/now.html" if is_fragment(request) else "operations/operations.html"
    return page(request, template, **_now(portal, session, caller))


def _now(portal: Portal, session: Session, caller: Caller) -> dict[str, Any]:
    queues = service.queues(portal, session, caller)
    running, more = service.list_jobs(session, caller, active=True, limit=AT_A_GLANCE)
    return {
        "service": service.service(portal, session, caller),
        "queues": queues.items,
        "workers": service.workers(session, caller).items,
        "storage": service.storage(portal, session, caller, cursor=None, limit=1),
        "jobs": running,
        "more_jobs": more is not None,
    }


@router.get("/jobs")
def show_jobs(
    request: Request,
    session: ReadSession,
    caller: Operator,
    kind: Annotated[str, Query(max_length=20)] = "",
    active: Annotated[bool, Query()] = False,
    organisation: Annotated[str, Query(max_length=40)] = "",
    cursor: Cursor = None,
) -> Response:
    jobs, next_cursor = service.list_jobs(
        session,
        caller,
        kind=JobKind(kind) if kind in KINDS else None,
        organisation_id=organisation or None,
        active=active,
        cursor=cursor,
        limit=50,
    )
    return page(
        request,
        "operations/jobs.html",
        jobs=Page[JobRead](jobs, next_cursor),
        kinds=KINDS,
        cancellable=CANCELLABLE,
        kind=kind,
        active=active,
        organisation=organisation,
    )


@router.post("/jobs/{job_id}/cancel")
def cancel_job(
    request: Request, job_id: str, session: WriteSession, caller: Operator, reason: Sent[str] = ""
) -> Response:
    service.cancel_job(session, caller, job_id, checked(JobCancel, reason=reason))
    return go_to(request, "/operations/jobs", note="note-job-cancelled")

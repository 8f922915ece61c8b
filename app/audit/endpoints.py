from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from app.audit.export import to_lines
from app.audit.log import Action, entry_dict, record
from app.audit.repository import AuditRepository
from app.audit.schemas import AuditEntryRead, AuditPage
from app.audit.statement import signed_head
from app.auth.dependencies import Auditor
from app.core.clock import utc_now
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession
from app.core.portal import Portal
from app.core.schemas import Time, problems
from app.core.security import Caller
from app.models.organisation import Organisation
from app.organisations.keys.service import signer_of

router = APIRouter(prefix="/audit", tags=["audit"], responses=problems(401, 403, 422))

Action_ = Annotated[str | None, Query(max_length=64, description="As in `release.published`.")]
Subject = Annotated[str | None, Query(max_length=40, description="Id of what it was done to.")]


@router.get("")
def list_audit_entries(
    session: ReadSession,
    caller: Auditor,
    action: Action_ = None,
    subject: Subject = None,
    since: Time | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AuditPage:
    """The log of the caller's organisation, newest first."""
    page = (
        AuditRepository(session)
        .readable_by(caller)
        .page(action=action, subject=subject, since=since, cursor=cursor, limit=limit)
    )
    return AuditPage(
        items=[AuditEntryRead.model_validate(row) for row in page.items],
        next_cursor=page.next_cursor,
    )


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/jsonl": {}}}},
)
def export_audit_log(portal: PortalDep, caller: Auditor) -> StreamingResponse:
    """The whole log as JSON lines, with a signed last one; check it with `exchange audit verify`.

    Kept elsewhere, it proves later changes of the log in the database.
    """
    with portal.database.transaction() as session:
        record(session, caller, Action.LOG_EXPORTED)
    return StreamingResponse(
        _export(portal, caller),
        media_type="application/jsonl",
        headers={"Content-Disposition": 'attachment; filename="audit.jsonl"'},
    )


def _export(portal: Portal, caller: Caller) -> Iterator[bytes]:
    with portal.database.reading() as session:
        organisation = session.get_one(Organisation, caller.organisation_id)
        signer, _ = signer_of(session, portal.vault, organisation)
        entries = AuditRepository(session).readable_by(caller)
        at = signer.history.no_earlier(utc_now())
        last = signed_head(entries.head(), caller.organisation_id, signer, at)
        yield from to_lines(map(entry_dict, entries.from_the_start()), last)

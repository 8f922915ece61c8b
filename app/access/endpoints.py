from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.access import grants, service
from app.access.presenters import read_grant, read_grants, read_request, read_requests
from app.access.repository import AccessRepository, Direction
from app.access.schemas import (
    AccessGrant,
    AccessRefusal,
    AccessRequestChange,
    AccessRequestCreate,
    AccessRequestRead,
    DirectGrant,
    GrantRead,
    TermsAcceptance,
)
from app.auth.dependencies import Once, Reader, Requester, Sharer
from app.core.dependencies import Cursor, Limit, ReadSession, WriteSession
from app.core.etags import IfMatchDep, etag_of
from app.core.schemas import PageRead, problems
from app.models.access import RequestStatus

router = APIRouter(tags=["access"], responses=problems(401, 403, 422))

Side = Annotated[
    Direction | None,
    Query(description="`received`: for our releases; `sent`: by us. Absent: both."),
]
OfRelease = Annotated[str | None, Query(max_length=40, description="Only for this release.")]


@router.post(
    "/releases/{release_id}/access-requests",
    status_code=201,
    responses=problems(400, 404, 409, 413),
)
def request_access(
    release_id: str, body: AccessRequestCreate, session: WriteSession, caller: Requester, once: Once
) -> AccessRequestRead:
    """Request access to another organisation's release, with a purpose."""
    return once(
        AccessRequestRead,
        lambda: read_request(session, service.request(session, caller, release_id, body)),
        folder="/api/v1/access-requests",
    )


@router.get("/access-requests")
def list_access_requests(
    session: ReadSession,
    caller: Reader,
    direction: Side = None,
    status: RequestStatus | None = None,
    release_id: OfRelease = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PageRead[AccessRequestRead]:
    """Requests that the caller's organisation received or sent, newest first."""
    page = (
        AccessRepository(session)
        .readable_by(caller)
        .requests(direction, status, release_id, cursor=cursor, limit=limit)
    )
    return PageRead[AccessRequestRead].of(page, items=read_requests(session, page.items))


@router.get("/access-requests/{request_id}", responses=problems(404))
def get_access_request(
    request_id: str, session: ReadSession, caller: Reader, response: Response
) -> AccessRequestRead:
    row = AccessRepository(session).readable_by(caller).request(request_id)
    response.headers["ETag"] = etag_of(row)
    return read_request(session, row)


@router.patch("/access-requests/{request_id}", responses=problems(400, 404, 409, 412, 413))
def change_access_request(
    request_id: str,
    body: AccessRequestChange,
    session: WriteSession,
    caller: Requester,
    if_match: IfMatchDep,
    response: Response,
) -> AccessRequestRead:
    """Change the purpose of an open request, as after it was returned; it is asked anew."""
    if_match.check(AccessRepository(session).readable_by(caller).request(request_id))
    row = service.change(session, caller, request_id, body)
    response.headers["ETag"] = etag_of(row)
    return read_request(session, row)


@router.post("/access-requests/{request_id}/cancel", responses=problems(404, 409))
def cancel_access_request(
    request_id: str, session: WriteSession, caller: Requester, once: Once
) -> AccessRequestRead:
    """Cancel an own request."""
    return once(
        AccessRequestRead,
        lambda: read_request(session, service.cancel(session, caller, request_id)),
    )


@router.post("/access-requests/{request_id}/grant", responses=problems(400, 404, 409, 413))
def grant_access(
    request_id: str, body: AccessGrant, session: WriteSession, caller: Sharer, once: Once
) -> AccessRequestRead:
    """Grant it. The requester then accepts the terms and may download."""
    return once(
        AccessRequestRead,
        lambda: read_request(session, service.grant(session, caller, request_id, body)),
    )


@router.post("/access-requests/{request_id}/return", responses=problems(400, 404, 409, 413))
def return_access_request(
    request_id: str, body: AccessRefusal, session: WriteSession, caller: Sharer, once: Once
) -> AccessRequestRead:
    """Send it back with a reason; the requester may change it and send it again."""
    return once(
        AccessRequestRead,
        lambda: read_request(session, service.return_request(session, caller, request_id, body)),
    )


@router.post("/access-requests/{request_id}/deny", responses=problems(400, 404, 409, 413))
def deny_access(
    request_id: str, body: AccessRefusal, session: WriteSession, caller: Sharer, once: Once
) -> AccessRequestRead:
    """Deny it, with a reason."""
    return once(
        AccessRequestRead,
        lambda: read_request(session, service.deny(session, caller, request_id, body)),
    )


@router.post(
    "/releases/{release_id}/grants", status_code=201, responses=problems(400, 404, 409, 413)
)
def grant_directly(
    release_id: str, body: DirectGrant, session: WriteSession, caller: Sharer, once: Once
) -> GrantRead:
    """Grant an organisation access without a request."""
    return once(
        GrantRead,
        lambda: read_grant(session, service.grant_directly(session, caller, release_id, body)),
    )


@router.get("/grants")
def list_grants(
    session: ReadSession,
    caller: Reader,
    direction: Side = None,
    release_id: OfRelease = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PageRead[GrantRead]:
    """Grants that the caller's organisation gave (`received`: of its releases) or has (`sent`)."""
    page = (
        AccessRepository(session)
        .readable_by(caller)
        .grants(direction, release_id, cursor=cursor, limit=limit)
    )
    return PageRead[GrantRead].of(page, items=read_grants(session, page.items))


@router.get("/grants/{grant_id}", responses=problems(404))
def get_grant(grant_id: str, session: ReadSession, caller: Reader) -> GrantRead:
    return read_grant(session, AccessRepository(session).readable_by(caller).grant(grant_id))


@router.post(
    "/grants/{grant_id}/acceptance", status_code=201, responses=problems(400, 404, 409, 413)
)
def accept_terms(
    grant_id: str, body: TermsAcceptance, session: WriteSession, caller: Requester, once: Once
) -> GrantRead:
    """Accept the release's terms in the caller's own name, for the organisation."""
    return once(
        GrantRead, lambda: read_grant(session, grants.accept_terms(session, caller, grant_id, body))
    )


@router.post("/grants/{grant_id}/revoke", responses=problems(400, 404, 409, 413))
def revoke_grant(
    grant_id: str, body: AccessRefusal, session: WriteSession, caller: Sharer, once: Once
) -> GrantRead:
    """Revoke an organisation's access, with a reason that it reads."""
    return once(
        GrantRead,
        lambda: read_grant(session, grants.revoke(session, caller, grant_id, body.reason)),
    )


@router.delete("/grants/{grant_id}", status_code=204, responses=problems(404, 409))
def delete_grant(grant_id: str, session: WriteSession, caller: Sharer) -> Response:
    """Revoke an organisation's access, without a reason."""
    grants.revoke(session, caller, grant_id, "")
    return Response(status_code=204)

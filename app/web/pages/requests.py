"""Pages of access requests and grants, received and sent."""

from enum import StrEnum

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.access import grants, service
from app.access.presenters import read_grant, read_grants, read_request, read_requests
from app.access.repository import AccessRepository, Direction
from app.access.schemas import (
    AccessGrant,
    AccessRefusal,
    AccessRequestChange,
    TermsAcceptance,
)
from app.core.clock import utc_now
from app.core.dependencies import Cursor, ReadSession, WriteSession
from app.core.errors import Invalid
from app.core.etags import IfMatch, etag_of
from app.core.security import Caller, Permission
from app.models.access import OPEN_REQUESTS, AccessRequest
from app.organisations.repository import OrganisationRepository
from app.web.dependencies import Reader, Requester, Sharer
from app.web.forms import Sent, checked, confirmed
from app.web.pages.publish import day
from app.web.render import go_to, page

router = APIRouter()

ON_A_PAGE = 50


class TermsUnread(Invalid):
    code = "terms-not-confirmed"
    title = "The terms were not accepted"


class DecisionForm(BaseModel):
    """The version of a request that the owner has seen and decides on."""

    seen: str = ""
    until: str = ""
    reason: str = ""

    def refusal(self) -> AccessRefusal:
        return checked(AccessRefusal, reason=self.reason.replace("\r\n", "\n"))


class ChangeForm(BaseModel):
    seen: str = ""
    purpose: str = ""


class RevokeForm(BaseModel):
    confirm: str = ""
    reason: str = ""


class Side(StrEnum):
    """The tabs; a value that is none of them is the first one."""

    RECEIVED = "received"
    SENT = "sent"

    @classmethod
    def of(cls, text: str, caller: Caller) -> "Side":
        if text in list(cls):
            return cls(text)
        return cls.RECEIVED if caller.may(Permission.SHARE) else cls.SENT


@router.get("/requests")
def show_requests(
    request: Request,
    session: ReadSession,
    caller: Reader,
    side: str = "",
    release: str = "",
    cursor: Cursor = None,
) -> Response:
    chosen = Side.of(side, caller)
    found = (
        AccessRepository(session)
        .readable_by(caller)
        .requests(Direction(chosen), None, release[:40] or None, cursor=cursor, limit=ON_A_PAGE)
    )
    return page(
        request,
        "requests/requests.html",
        side=chosen,
        tab=f"requests-{chosen}",
        found=found,
        requests=read_requests(session, found.items),
        release=release[:40],
    )


@router.get("/requests/{request_id}")
def show_request(
    request: Request, request_id: str, session: ReadSession, caller: Reader
) -> Response:
    access = AccessRepository(session).readable_by(caller)
    row = access.request(request_id)
    read = read_request(session, row)
    given = None if read.grant_id is None else read_grant(session, access.grant(read.grant_id))
    return page(
        request,
        "requests/request.html",
        asked=read,
        grant=given,
        now=utc_now(),
        today=utc_now().date().isoformat(),
        is_owner=row.owner_id == caller.organisation_id,
        is_open=row.status in OPEN_REQUESTS,
        seen=etag_of(row),
    )


@router.post("/requests/{request_id}/grant")
def grant_request(
    request: Request,
    request_id: str,
    session: WriteSession,
    caller: Sharer,
    form: Sent[DecisionForm],
) -> Response:
    body = checked(AccessGrant, expires_at=day(form.until, ends=True))
    _as_seen(session, caller, request_id, form.seen)
    service.grant(session, caller, request_id, body)
    return go_to(request, f"/requests/{request_id}", note="note-granted")


@router.post("/requests/{request_id}/return")
def return_request(
    request: Request,
    request_id: str,
    session: WriteSession,
    caller: Sharer,
    form: Sent[DecisionForm],
) -> Response:
    _as_seen(session, caller, request_id, form.seen)
    service.return_request(session, caller, request_id, form.refusal())
    return go_to(request, f"/requests/{request_id}", note="note-returned")


@router.post("/requests/{request_id}/deny")
def deny_request(
    request: Request,
    request_id: str,
    session: WriteSession,
    caller: Sharer,
    form: Sent[DecisionForm],
) -> Response:
    _as_seen(session, caller, request_id, form.seen)
    service.deny(session, caller, request_id, form.refusal())
    return go_to(request, f"/requests/{request_id}", note="note-denied")


@router.post("/requests/{request_id}/change")
def change_request(
    request: Request,
    request_id: str,
    session: WriteSession,
    caller: Requester,
    form: Sent[ChangeForm],
) -> Response:
    _as_seen(session, caller, request_id, form.seen)
    body = checked(AccessRequestChange, purpose=form.purpose.replace("\r\n", "\n"))
    service.change(session, caller, request_id, body)
    return go_to(request, f"/requests/{request_id}", note="note-asked")


@router.post("/requests/{request_id}/cancel")
def cancel_request(
    request: Request, request_id: str, session: WriteSession, caller: Requester
) -> Response:
    row = service.cancel(session, caller, request_id)
    return go_to(request, f"/releases/{row.release_id}", note="note-request-cancelled")


def _as_seen(session: Session, caller: Caller, request_id: str, seen: str) -> AccessRequest:
    """Check that the decided version is the one that was read. Raises PreconditionFailed."""
    row = AccessRepository(session).readable_by(caller).request(request_id)
    IfMatch(seen or None).check(row)
    return row


@router.get("/grants")
def show_grants(
    request: Request,
    session: ReadSession,
    caller: Reader,
    side: str = "",
    release: str = "",
    cursor: Cursor = None,
) -> Response:
    chosen = Side.of(side, caller)
    found = (
        AccessRepository(session)
        .readable_by(caller)
        .grants(Direction(chosen), release[:40] or None, cursor=cursor, limit=ON_A_PAGE)
    )
    return page(
        request,
        "requests/grants.html",
        side=chosen,
        tab=f"grants-{chosen}",
        found=found,
        grants=read_grants(session, found.items),
        now=utc_now(),
        release=release[:40],
    )


@router.post("/grants/{grant_id}/accept")
def accept_terms(
    request: Request,
    grant_id: str,
    session: WriteSession,
    caller: Requester,
    terms_sha256: Sent[str] = "",
    accepted: Sent[bool] = False,
) -> Response:
    if not accepted:
        raise TermsUnread(
            "Tick the box to say that you have read the terms and accept them for your "
            "organisation. Nothing was accepted."
        )
    body = checked(TermsAcceptance, terms_sha256=terms_sha256)
    row = grants.accept_terms(session, caller, grant_id, body)
    return go_to(request, f"/releases/{row.release_id}", note="note-accepted")


@router.post("/grants/{grant_id}/revoke")
def revoke_grant(
    request: Request, grant_id: str, session: WriteSession, caller: Sharer, form: Sent[RevokeForm]
) -> Response:
    row = AccessRepository(session).readable_by(caller).grant(grant_id, Direction.RECEIVED)
    confirmed(form.confirm, OrganisationRepository(session).load(row.organisation_id).name)
    body = checked(AccessRefusal, reason=form.reason.replace("\r\n", "\n"))
    grants.revoke(session, caller, grant_id, body.reason)
    return go_to(request, f"/releases/{row.release_id}", note="note-revoked")

"""Pages of invitations."""

from typing import NamedTuple

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.core.clock import utc_now
from app.core.dependencies import Cursor, PortalDep, ReadSession, WriteSession
from app.core.security import Caller
from app.models.invitation import Invitation
from app.users.invitations import service as invitations
from app.users.invitations.repository import InvitationRepository
from app.users.invitations.schemas import InvitationCreate
from app.web.dependencies import Manager
from app.web.forms import Sent, checked
from app.web.pages.people import roles_to_give
from app.web.render import go_to, is_fragment, page

router = APIRouter(prefix="/organisation/invitations")


class InvitationForm(BaseModel):
    email: str = ""
    roles: list[str] = Field(default_factory=list)


class Made(NamedTuple):
    invitation: Invitation
    link: str


@router.get("")
def show_invitations(
    request: Request, session: ReadSession, caller: Manager, cursor: Cursor = None
) -> Response:
    return _invitations(request, session, caller, cursor=cursor)


@router.post("")
def invite(
    request: Request,
    session: WriteSession,
    portal: PortalDep,
    caller: Manager,
    form: Sent[InvitationForm],
) -> Response:
    """The link is in this answer, and in a mail where the portal sends any."""
    body = checked(InvitationCreate, email=form.email, roles=form.roles)
    made = Made(*invitations.invite(portal, session, caller, body))
    mailed = bool(portal.settings.smtp_url.get_secret_value())
    return _invitations(request, session, caller, made=made, mailed=mailed)


@router.post("/{invitation_id}/revoke")
def revoke_invitation(
    request: Request, invitation_id: str, session: WriteSession, caller: Manager
) -> Response:
    invitations.revoke(session, caller, invitation_id)
    return go_to(request, "/organisation/invitations", note="note-invitation-revoked")


def _invitations(
    request: Request,
    session: Session,
    caller: Caller,
    *,
    made: Made | None = None,
    mailed: bool = False,
    cursor: str | None = None,
) -> Response:
    sent = InvitationRepository(session).readable_by(caller).page(cursor=cursor, limit=50)
    return page(
        request,
        "invitations/list.html" if is_fragment(request) else "invitations/invitations.html",
        invitations=sent,
        made=made,
        mailed=mailed,
        roles=roles_to_give(caller),
        now=utc_now(),
    )

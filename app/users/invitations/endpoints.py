from fastapi import APIRouter, BackgroundTasks, Request, Response

from app.auth.dependencies import Manager, Once
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession, WriteSession
from app.core.ratelimit import address_of
from app.core.schemas import PageRead, problems
from app.models.invitation import Invitation
from app.users.invitations import service
from app.users.invitations.repository import InvitationRepository
from app.users.invitations.schemas import (
    ForgottenPassword,
    InvitationAccept,
    InvitationCreate,
    InvitationCreated,
    InvitationOffer,
    InvitationRead,
    InvitationSecret,
)
from app.users.repository import UserRepository
from app.users.schemas import UserRead

router = APIRouter(tags=["invitations"], responses=problems(401, 403, 422))


@router.post("/invitations", status_code=201, responses=problems(400, 409, 413))
def create_invitation(
    body: InvitationCreate, session: WriteSession, portal: PortalDep, caller: Manager, once: Once
) -> InvitationCreated:
    """Invite a person into the caller's organisation: a link, shown once and mailed."""
    return once.secret(
        lambda: _created(*service.invite(portal, session, caller, body)),
        shown="This request made an invitation before; its link was in that reply alone. Revoke "
        "it if the reply was lost (GET /api/v1/invitations lists them) and make another.",
    )


@router.get("/invitations")
def list_invitations(
    session: ReadSession, caller: Manager, cursor: Cursor = None, limit: Limit = 50
) -> PageRead[InvitationRead]:
    """The invitations of the caller's organisation, newest first."""
    page = InvitationRepository(session).readable_by(caller).page(cursor=cursor, limit=limit)
    return PageRead[InvitationRead].of(page)


@router.delete("/invitations/{invitation_id}", status_code=204, responses=problems(404))
def revoke_invitation(invitation_id: str, session: WriteSession, caller: Manager) -> Response:
    """Revoke the link at once."""
    service.revoke(session, caller, invitation_id)
    return Response(status_code=204)


@router.post("/users/{user_id}/password-link", status_code=201, responses=problems(404, 409))
def create_password_link(
    user_id: str, session: WriteSession, portal: PortalDep, caller: Manager
) -> InvitationCreated:
    """Create a link to set a forgotten password: shown once and mailed."""
    user = UserRepository(session).readable_by(caller).get(user_id)
    return _created(*service.reset_password(portal, session, caller, user))


@router.post("/session/forgotten", status_code=202, responses=problems(400, 413, 429))
def forgot_password(
    body: ForgottenPassword, request: Request, portal: PortalDep, afterwards: BackgroundTasks
) -> dict[str, str]:
    """Request a link by mail to the own address. The reply is the same for unknown addresses."""
    _limit(request, portal)
    portal.limiter.count(portal.settings.sign_in_limit, "link to", body.email)
    # After the reply, which would else take longer for an address that is known.
    afterwards.add_task(service.forgotten, portal, body.email)
    return {
        "status": "If there is an account with this address, a link was sent to it. Where this "
        "portal sends no mail, ask an admin of your organisation."
    }


@router.post("/invitations/look", responses=problems(400, 404, 413, 429))
def look_at_invitation(
    body: InvitationSecret, request: Request, session: ReadSession, portal: PortalDep
) -> InvitationOffer:
    """Describe an invitation to the holder of its link."""
    _limit(request, portal)
    invitation, organisation = service.find(session, body.secret)
    return InvitationOffer(
        organisation=organisation.name,
        email=invitation.email,
        roles=list(invitation.roles),
        invited_by=invitation.invited_by,
        sets_password_only=invitation.user_id is not None,
    )


@router.post("/invitations/accept", status_code=201, responses=problems(400, 404, 409, 413, 429))
async def accept_invitation(
    body: InvitationAccept, request: Request, portal: PortalDep
) -> UserRead:
    """Join an organisation, or set a new password; then sign in."""
    _limit(request, portal)
    return UserRead.model_validate(
        await portal.passwords.run(service.accept, portal.database, body)
    )


def _limit(request: Request, portal: PortalDep) -> None:
    portal.limiter.count(portal.settings.sign_in_limit, "link", address_of(request))


def _created(invitation: Invitation, link: str) -> InvitationCreated:
    return InvitationCreated.of(invitation, link=link)

"""Links by which people join an organisation, or set a password anew.

The secret of a link follows its `#`, which browsers send to no server: it ends in no log.
"""

from datetime import timedelta

from sqlalchemy.orm import Session

from app.audit.log import Action, record, record_by_portal
from app.core.clock import utc_now
from app.core.errors import Conflict, Invalid, NotFound
from app.core.portal import Portal
from app.core.security import Caller, Role, hash_secret, new_secret
from app.invitations.repository import InvitationRepository
from app.invitations.schemas import InvitationAccept, InvitationCreate
from app.models.invitation import Invitation
from app.models.organisation import Organisation
from app.models.user import User
from app.notifications.service import Notice, notify_address
from app.sessions.service import caller_of
from app.users import service as users
from app.users.repository import UserRepository


class LinkNotValid(NotFound):
    code = "link-not-valid"
    title = "This link does not work"


class NameMissing(Invalid):
    code = "name-missing"
    title = "A name is needed"


class AccountDisabled(Conflict):
    code = "account-disabled"
    title = "The account was disabled"


def invite(
    portal: Portal, session: Session, caller: Caller, body: InvitationCreate
) -> tuple[Invitation, str]:
    """An invitation and its link. Raises RoleNotYours."""
    users.check_roles(caller, body.roles)
    invitation, link = _make(
        portal,
        session,
        caller.organisation_id,
        email=body.email,
        roles=body.roles,
        invited_by=caller.name,
    )
    record(session, caller, Action.USER_INVITED, invitation.id, roles=invitation.role_names)
    return invitation, link


def invite_first_admin(
    portal: Portal, session: Session, organisation: Organisation, email: str, invited_by: str
) -> tuple[Invitation, str]:
    """The link by which the first person of a new organisation joins it."""
    return _make(
        portal,
        session,
        organisation.id,
        email=email,
        roles=[Role.ADMIN],
        invited_by=invited_by,
    )


def reset_password(
    portal: Portal, session: Session, caller: Caller, user: User
) -> tuple[Invitation, str]:
    """A link to set a forgotten password. Raises AccountDisabled."""
    if user.disabled_at is not None:
        raise AccountDisabled(
            f"The account of {user.name} was disabled. No link was made. Enable it first."
        )
    invitation, link = _make(
        portal,
        session,
        user.organisation_id,
        email=user.email,
        roles=user.roles,
        invited_by=caller.name,
        user=user,
    )
    record(session, caller, Action.USER_INVITED, user.id, sets_password=True)
    return invitation, link


def forgotten(portal: Portal, session: Session, email: str) -> None:
    """Mail a link to the account's address, if there is such an account. Nobody is told if not."""
    user = UserRepository(session).find_by_email(email)
    if user is None or user.disabled_at is not None:
        return
    _make(
        portal,
        session,
        user.organisation_id,
        email=user.email,
        roles=user.roles,
        invited_by="you, or somebody who knows your address",
        user=user,
    )
    record_by_portal(
        session,
        user.organisation_id,
        Action.USER_INVITED,
        user.id,
        by="somebody at the sign-in",
        sets_password=True,
    )


def _make(
    portal: Portal,
    session: Session,
    organisation_id: str,
    *,
    email: str,
    roles: list[Role] | tuple[Role, ...],
    invited_by: str,
    user: User | None = None,
) -> tuple[Invitation, str]:
    secret = new_secret()
    invitation = InvitationRepository(session).add(
        Invitation(
            organisation_id=organisation_id,
            email=email,
            role_names=[role.value for role in roles],
            user_id=None if user is None else user.id,
            invited_by=invited_by,
            secret_hash=hash_secret(secret),
            expires_at=utc_now() + timedelta(days=portal.settings.invitation_days),
        )
    )
    link = f"{portal.settings.public_url}/join#{secret}"
    notice = (
        Notice(
            kind="invitation",
            title="You are invited to IADD Exchange",
            text=f"{invited_by} invites you to share what chest X-rays teach. The link below works "
            f"once, until {invitation.expires_at:%Y-%m-%d %H:%M} UTC. Do not pass it on.",
        )
        if user is None
        else Notice(
            kind="password",
            title="Set a new password for IADD Exchange",
            text=f"Asked for by {invited_by}. The link below works once, until "
            f"{invitation.expires_at:%Y-%m-%d %H:%M} UTC. If you did not expect it, ignore it: "
            "your password stays as it is.",
        )
    )
    notify_address(portal, session, email, notice, secret_link=link)
    return invitation, link


def revoke(session: Session, caller: Caller, invitation_id: str) -> None:
    """From now on the link does not work. Raises InvitationNotFound."""
    InvitationRepository(session).readable_by(caller).delete(invitation_id)
    record(session, caller, Action.INVITATION_REVOKED, invitation_id)


def find(session: Session, secret: str, *, lock: bool = False) -> tuple[Invitation, Organisation]:
    """Raises LinkNotValid."""
    found = InvitationRepository(session).find_by_hash(hash_secret(secret), lock=lock)
    if found is None or found[0].accepted_at is not None or found[0].expires_at <= utc_now():
        raise LinkNotValid(
            "It was used before, was taken back, or is too old. Ask an admin of the organisation "
            "for another one."
        )
    return found


def accept(session: Session, body: InvitationAccept) -> User:
    """Join, or set the password. Raises LinkNotValid, NameMissing, AddressTaken, WeakPassword."""
    invitation, organisation = find(session, body.secret, lock=True)
    password = body.password.get_secret_value()
    if invitation.user_id is not None:
        user = UserRepository(session).load(invitation.user_id, lock=True)
        users.set_password(session, user, password)
        record(session, caller_of(user), Action.PASSWORD_CHANGED, user.id)
    else:
        if body.name is None:
            raise NameMissing("Send your `name` too. Nothing was changed; the link still works.")
        user = users.add(
            session,
            organisation.id,
            email=invitation.email,
            name=body.name,
            roles=invitation.roles,
            password=password,
        )
        invitation.user_id = user.id
        record(session, caller_of(user), Action.USER_JOINED, user.id, roles=user.role_names)
    invitation.accepted_at = utc_now()
    return user

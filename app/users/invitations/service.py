"""Invitations: links by which people join an organisation or set a new password.

The secret of a link follows its `#`, which browsers send to no server: it ends in no log.
"""

from datetime import timedelta

from sqlalchemy.orm import Session

from app.audit.log import Action, record, record_by_portal
from app.core.clock import utc_now
from app.core.db import Database
from app.core.errors import Conflict, Invalid, NotFound
from app.core.portal import Portal
from app.core.security import Caller, Role, hash_secret, new_secret
from app.core.settings import Settings
from app.models.invitation import Invitation
from app.models.organisation import Organisation
from app.models.user import User
from app.notifications.service import Notice, notify_address
from app.users import service as users
from app.users.invitations.repository import InvitationRepository
from app.users.invitations.schemas import InvitationAccept, InvitationCreate
from app.users.repository import UserRepository

LINKS_AN_HOUR = 3
"""Links that are mailed to one person: enough to forget a password, too few to flood a mailbox."""


class LinkNotValid(NotFound):
    code = "link-not-valid"
    title = "This link does not work"


class NameMissing(Invalid):
    code = "name-missing"
    title = "A name is needed"


class EmailMissing(Invalid):
    code = "email-missing"
    title = "An address is needed"


class AccountDisabled(Conflict):
    code = "account-disabled"
    title = "The account was disabled"


def invite(
    portal: Portal, session: Session, caller: Caller, body: InvitationCreate
) -> tuple[Invitation, str]:
    """An invitation and its link. Raises RoleNotYours, AddressTaken."""
    users.check_roles(caller, body.roles)
    users.check_address(session, body.email)
    invitation, link = _mailed(
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
    return _mailed(
        portal,
        session,
        organisation.id,
        email=email,
        roles=[Role.ADMIN],
        invited_by=invited_by,
    )


def invite_anybody(
    settings: Settings, session: Session, organisation: Organisation, invited_by: str
) -> str:
    """A link to run the portal, for the first person: whoever opens it names their address."""
    roles = [Role.ADMIN, Role.OPERATOR]
    _, link = _make(
        settings, session, organisation.id, email="", roles=roles, invited_by=invited_by
    )
    return link


def reset_password(
    portal: Portal, session: Session, caller: Caller, user: User
) -> tuple[Invitation, str]:
    """A link to set a forgotten password. Raises AccountDisabled, RoleNotYours."""
    users.check_theirs(caller, user)
    if user.disabled_at is not None:
        raise AccountDisabled(
            f"The account of {user.name} was disabled. No link was made. Enable it first."
        )
    invitation, link = _mailed(
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


def forgotten(portal: Portal, email: str) -> None:
    """Mail a link to the account's address, if there is such an account with a password.

    The reply never shows whether there is. An account without one signs in elsewhere.
    """
    if not portal.settings.smtp_url.get_secret_value():
        return
    with portal.database.transaction() as session:
        user = UserRepository(session).find_by_email(email)
        if user is None or user.password_hash is None or not _is_enabled(session, user):
            return
        _forgotten(portal, session, user)


def _is_enabled(session: Session, user: User) -> bool:
    organisation = UserRepository(session).organisation_of(user)
    return user.disabled_at is None and organisation.disabled_at is None


def _forgotten(portal: Portal, session: Session, user: User) -> None:
    now = utc_now()
    invitations = InvitationRepository(session)
    invitations.delete_expired_links(user.id, now)
    if invitations.count_links(user.id, now - timedelta(hours=1)) >= LINKS_AN_HOUR:
        return
    _mailed(
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
    settings: Settings,
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
            expires_at=utc_now() + timedelta(days=settings.invitation_days),
        )
    )
    return invitation, f"{settings.public_url}/join#{secret}"


def _mailed(
    portal: Portal,
    session: Session,
    organisation_id: str,
    *,
    email: str,
    roles: list[Role] | tuple[Role, ...],
    invited_by: str,
    user: User | None = None,
) -> tuple[Invitation, str]:
    """An invitation and its link, which is mailed where the portal sends mail."""
    invitation, link = _make(
        portal.settings,
        session,
        organisation_id,
        email=email,
        roles=roles,
        invited_by=invited_by,
        user=user,
    )
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
    """Revoke the link at once. Raises InvitationNotFound."""
    InvitationRepository(session).readable_by(caller).delete(invitation_id)
    record(session, caller, Action.INVITATION_REVOKED, invitation_id)


def find(session: Session, secret: str, *, lock: bool = False) -> tuple[Invitation, Organisation]:
    """Raises LinkNotValid."""
    found = InvitationRepository(session).find_by_hash(hash_secret(secret), lock=lock)
    if found is None or not _works(session, *found):
        raise LinkNotValid(
            "It was used, revoked, or has expired. Ask an admin of the organisation "
            "for another one."
        )
    return found


def _works(session: Session, invitation: Invitation, organisation: Organisation) -> bool:
    if invitation.accepted_at is not None or invitation.expires_at <= utc_now():
        return False
    if organisation.disabled_at is not None:
        return False
    if invitation.user_id is None:
        return True
    user = UserRepository(session).load(invitation.user_id)
    # A person who has become an operator since is out of reach of an admin's earlier links.
    return user.disabled_at is None and set(user.roles) <= set(invitation.roles)


def accept(database: Database, body: InvitationAccept) -> User:
    """Join, or set the password.

    Raises LinkNotValid, NameMissing, EmailMissing, AddressTaken, WeakPassword.
    """
    with database.reading() as session:
        invitation, _ = find(session, body.secret)
    if invitation.user_id is None and body.name is None:
        raise NameMissing("Send your `name` too. Nothing was changed; the link still works.")
    email = invitation.email or body.email
    if email is None:
        raise EmailMissing("Send your `email` too. Nothing was changed; the link still works.")
    password_hash = users.hash_new_password(body.password.get_secret_value(), email)
    with database.transaction() as session:
        invitation, _ = find(session, body.secret, lock=True)
        if invitation.user_id is None:
            invitation.email = email
            user = join(session, invitation, name=body.name or "", password_hash=password_hash)
        else:
            user = _set_password(session, invitation, invitation.user_id, password_hash)
        session.refresh(user, ["has_second_factor"])  # which the reply tells
        return user


def join(session: Session, invitation: Invitation, *, name: str, password_hash: str | None) -> User:
    """Make the account that an invitation promised. Raises AddressTaken."""
    user = users.add(
        session,
        invitation.organisation_id,
        email=invitation.email,
        name=name,
        roles=invitation.roles,
        password_hash=password_hash,
    )
    invitation.user_id, invitation.accepted_at = user.id, utc_now()
    session.flush()
    record(session, users.caller_of(user), Action.USER_JOINED, user.id, roles=user.role_names)
    return user


def _set_password(
    session: Session, invitation: Invitation, user_id: str, password_hash: str
) -> User:
    user = UserRepository(session).load(user_id, lock=True)
    invitation.accepted_at = utc_now()
    session.flush()
    ended = users.set_password(session, user, password_hash)
    record(session, users.caller_of(user), Action.PASSWORD_CHANGED, user.id, tokens_deleted=ended)
    return user

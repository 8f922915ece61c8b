"""People: accounts, roles, passwords."""

from collections.abc import Collection

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.audit.log import Action, record, record_by_portal
from app.core.clock import utc_now
from app.core.errors import Conflict, Forbidden, Invalid
from app.core.passwords import hash_password
from app.core.security import Caller, Permission, Role, permissions_of
from app.models.user import User
from app.users.invitations.repository import InvitationRepository
from app.users.repository import UserRepository
from app.users.schemas import UserChange, UserCreate


class AddressTaken(Conflict):
    code = "address-taken"
    title = "An account with this address exists"


class LastAdmin(Conflict):
    code = "last-admin"
    title = "An organisation needs an admin"


class RoleNotYours(Forbidden):
    code = "role-not-yours-to-give"
    title = "You may not give this role"


class WeakPassword(Invalid):
    code = "weak-password"
    title = "This password is easily guessed"


class NoPerson(Forbidden):
    code = "no-person"
    title = "Only a person may do this"


def caller_of(user: User) -> Caller:
    return Caller(
        organisation_id=user.organisation_id,
        permissions=permissions_of(user.roles),
        roles=user.roles,
        name=user.name,
        user_id=user.id,
    )


def create(session: Session, caller: Caller, body: UserCreate, password_hash: str) -> User:
    """An account in the caller's organisation. Raises AddressTaken, RoleNotYours."""
    check_roles(caller, body.roles)
    user = add(
        session,
        caller.organisation_id,
        email=body.email,
        name=body.name,
        roles=body.roles,
        password_hash=password_hash,
    )
    record(session, caller, Action.USER_CREATED, user.id, roles=user.role_names)
    return user


def create_by_operator(
    session: Session,
    organisation_id: str,
    *,
    email: str,
    name: str,
    roles: list[Role],
    password_hash: str,
) -> User:
    """An account made on the machine itself. Raises AddressTaken."""
    user = add(
        session, organisation_id, email=email, name=name, roles=roles, password_hash=password_hash
    )
    record_by_portal(
        session,
        organisation_id,
        Action.USER_CREATED,
        user.id,
        by="the operator of the machine",
        roles=user.role_names,
    )
    return user


def add(
    session: Session,
    organisation_id: str,
    *,
    email: str,
    name: str,
    roles: Collection[Role],
    password_hash: str | None,
) -> User:
    """An account. Without a password it is one for who signs in elsewhere. Raises AddressTaken."""
    check_address(session, email)
    user = User(
        organisation_id=organisation_id,
        email=email,
        name=name,
        role_names=[role.value for role in roles],
        password_hash=password_hash,
    )
    try:
        with session.begin_nested():
            return UserRepository(session).add(user)
    except IntegrityError:  # somebody else has just taken it
        raise _address_taken() from None


def check_address(session: Session, email: str) -> None:
    """Raises AddressTaken."""
    if UserRepository(session).find_by_email(email) is not None:
        raise _address_taken()


def _address_taken() -> AddressTaken:
    return AddressTaken(
        "There is already an account with this address; an address belongs to one account of "
        "one organisation. Nothing was changed."
    )


def hash_new_password(password: str, email: str) -> str:
    """Takes 0.2 s: before the transaction, never in it. Raises WeakPassword."""
    _check_strength(password, email)
    return hash_password(password)


def _check_strength(password: str, email: str) -> None:
    """Raises WeakPassword for the few that length alone does not catch."""
    lowered = password.lower()
    if len(set(lowered)) < 5 or email.lower() in lowered or email.split("@")[0] == lowered:
        raise WeakPassword(
            "It repeats a few letters, or is your address. Nothing was changed. Take a sentence "
            "that only you would say."
        )


def check_roles(caller: Caller, roles: Collection[Role]) -> None:
    """Raises RoleNotYours: who runs the portal is decided by those who do."""
    if Role.OPERATOR in roles and not caller.may(Permission.OPERATE):
        raise RoleNotYours(
            "Operators are made by operators, with `exchange admin create-user`. Nothing was "
            "changed."
        )


def check_theirs(caller: Caller, user: User) -> None:
    """Raises RoleNotYours: who manages an operator's account could sign in as the operator."""
    if Role.OPERATOR in user.roles and not caller.may(Permission.OPERATE):
        raise RoleNotYours(
            f"{user.name} is an operator of this portal, whose account only operators change. "
            "Nothing was changed."
        )


def change(session: Session, caller: Caller, user: User, body: UserChange) -> User:
    """Raises LastAdmin, RoleNotYours."""
    check_theirs(caller, user)
    if body.roles is not None:
        check_roles(caller, body.roles)
    loses_admin = body.roles is not None and Role.ADMIN not in body.roles
    if Role.ADMIN in user.roles and user.disabled_at is None and (loses_admin or body.disabled):
        _expect_another_admin(session, user)
    if body.name is not None:
        user.name = body.name
    if body.roles is not None:
        user.role_names = [role.value for role in body.roles]
    if body.disabled is not None:
        _disable(session, user, disabled=body.disabled)
    session.flush()
    action = Action.USER_DISABLED if body.disabled else Action.USER_CHANGED
    record(
        session,
        caller,
        action,
        user.id,
        roles=user.role_names,
        changed=sorted(body.model_fields_set),
    )
    return user


def _expect_another_admin(session: Session, user: User) -> None:
    # Locked, so that two admins who leave at once do not each see the other stay.
    users = UserRepository(session)
    users.organisation_of(user, lock=True)
    if users.other_admins(user) == 0:
        raise LastAdmin(
            f"{user.name} is the only admin; without one nobody could manage the organisation. "
            "Nothing was changed. Make somebody else an admin first."
        )


def _disable(session: Session, user: User, *, disabled: bool) -> None:
    if not disabled:
        user.disabled_at = None
        return
    user.disabled_at = user.disabled_at or utc_now()
    users = UserRepository(session)
    users.delete_sessions(user.id)
    users.delete_tokens(user.id)
    InvitationRepository(session).delete_open_links(user.id)


def set_password(
    session: Session,
    user: User,
    password_hash: str,
    *,
    keep: str | None = None,
    keep_token: str | None = None,
    forgives: bool = True,
) -> int:
    """Set a new password, and end what may be in the hands of who knew the old one.

    These are links to set one, every session but the one whose hash is `keep`, and every token
    but `keep_token`, which was asked with. Failures before it count no more, if it `forgives`.

    Returns:
        How many tokens were deleted.
    """
    user.password_hash = password_hash
    user.failed_sign_ins, user.locked_until = 0, None
    if forgives:
        UserRepository(session).forget_failures(user.id)
    InvitationRepository(session).delete_open_links(user.id)
    UserRepository(session).delete_sessions(user.id, but=keep)
    return UserRepository(session).delete_tokens(user.id, but=keep_token)

"""People: their roles, their passwords, the end of their access."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from app.audit.log import Action, record, record_by_portal
from app.core.clock import utc_now
from app.core.db import Database
from app.core.errors import Conflict, Forbidden, Invalid
from app.core.passwords import check_password, hash_password
from app.core.security import Caller, Permission, Role
from app.models.user import User
from app.sessions.repository import WebSessionRepository
from app.sessions.service import WrongCredentials
from app.tokens.repository import TokenRepository
from app.users.repository import UserRepository
from app.users.schemas import UserChange, UserCreate


class AddressTaken(Conflict):
    code = "address-taken"
    title = "There is an account with this address"


class LastAdmin(Conflict):
    code = "last-admin"
    title = "An organisation needs an admin"


class RoleNotYours(Forbidden):
    code = "role-not-yours-to-give"
    title = "This role is not yours to give"


class WeakPassword(Invalid):
    code = "weak-password"
    title = "This password is easily guessed"


class NoPerson(Forbidden):
    code = "no-person"
    title = "This needs a person"


def create(session: Session, caller: Caller, body: UserCreate) -> User:
    """An account in the caller's organisation. Raises AddressTaken, RoleNotYours, WeakPassword."""
    check_roles(caller, body.roles)
    user = add(
        session,
        caller.organisation_id,
        email=body.email,
        name=body.name,
        roles=body.roles,
        password=body.password.get_secret_value(),
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
    password: str,
) -> User:
    """An account made on the machine itself. Raises AddressTaken, WeakPassword."""
    user = add(session, organisation_id, email=email, name=name, roles=roles, password=password)
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
    password: str | None,
) -> User:
    """Raises AddressTaken, WeakPassword."""
    users = UserRepository(session)
    if users.find_by_email(email) is not None:
        raise AddressTaken(
            "Somebody has an account with this address already; an address belongs to one account "
            "of one organisation. Nothing was changed."
        )
    if password is not None:
        check_strength(password, email)
    return users.add(
        User(
            organisation_id=organisation_id,
            email=email,
            name=name,
            role_names=[role.value for role in roles],
            password_hash=None if password is None else hash_password(password),
        )
    )


def check_strength(password: str, email: str) -> None:
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


def change(session: Session, caller: Caller, user: User, body: UserChange) -> User:
    """Raises LastAdmin, RoleNotYours."""
    if body.roles is not None:
        check_roles(caller, set(body.roles) - set(user.roles))
    loses_admin = body.roles is not None and Role.ADMIN not in body.roles
    if (
        Role.ADMIN in user.roles
        and user.disabled_at is None
        and (loses_admin or body.disabled)
        and UserRepository(session).other_admins(user) == 0
    ):
        raise LastAdmin(
            f"{user.name} is the only admin; without one nobody could manage the organisation. "
            "Nothing was changed. Make somebody else an admin first."
        )
    if body.name is not None:
        user.name = body.name
    if body.roles is not None:
        user.role_names = [role.value for role in body.roles]
    if body.disabled is not None:
        _disable(session, user, disabled=body.disabled)
    session.flush()
    action = Action.USER_DISABLED if body.disabled else Action.USER_CHANGED
    record(session, caller, action, user.id, roles=user.role_names)
    return user


def _disable(session: Session, user: User, *, disabled: bool) -> None:
    if not disabled:
        user.disabled_at = None
        return
    user.disabled_at = user.disabled_at or utc_now()
    WebSessionRepository(session).delete_of_user(user.id)
    TokenRepository(session).delete_of_user(user.id)


def set_password(session: Session, user: User, password: str, *, keep: str | None = None) -> None:
    """A new password ends every session but the one whose hash is `keep`. Raises WeakPassword."""
    check_strength(password, user.email)
    user.password_hash = hash_password(password)
    user.failed_sign_ins, user.locked_until = 0, None
    WebSessionRepository(session).delete_of_user(user.id, but=keep)


def change_own_password(
    database: Database, caller: Caller, *, current: str, new: str, keep: str | None
) -> None:
    """Raises NoPerson, WrongCredentials, WeakPassword."""
    if caller.user_id is None:
        raise NoPerson("No person stands behind your token, so there is no password to change.")
    with database.reading() as session:
        known = UserRepository(session).load(caller.user_id).password_hash
    if not check_password(current, known):
        raise WrongCredentials("The current password is another one. Nothing was changed.")
    with database.transaction() as session:
        user = UserRepository(session).load(caller.user_id, lock=True)
        set_password(session, user, new, keep=keep)
        record(session, caller, Action.PASSWORD_CHANGED, user.id)

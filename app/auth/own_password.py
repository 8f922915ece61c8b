"""Asks a person for their own password once more, before what nobody else may change."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import SecretStr
from sqlalchemy.orm import Session

from app.auth.failures import SESSION, judge_password
from app.auth.second_factor.repository import SecondFactorRepository
from app.core.db import Database
from app.core.errors import Invalid
from app.core.passwords import check_password
from app.core.portal import Portal
from app.core.security import Caller
from app.models.user import User
from app.users.repository import UserRepository
from app.users.service import NoPerson

T = TypeVar("T")


class WrongPassword(Invalid):
    code = "wrong-password"
    title = "The current password is wrong"


async def with_own_password(
    portal: Portal,
    caller: Caller,
    password: SecretStr,
    change: Callable[[Session, User], T],
    *,
    is_all: bool = True,
) -> T:
    """Make a change once the caller's own password is right, rate-limited.

    Args:
        portal: Counts the tries and holds the people.
        caller: Who asks.
        password: As it was typed.
        change: Called with the caller's row, in the transaction in which the password is right.
        is_all: False where `change` judges a code too; see `judge_password`.

    Raises:
        NoPerson: The caller is a token of an organisation.
        WrongPassword: Or the account is locked; wrong ones are counted as at the sign-in.
        TooManyRequests: Too many tries within a minute.
    """
    count_try(portal, caller)
    return await portal.passwords.run(
        check_then,
        portal.database,
        caller,
        password.get_secret_value(),
        change,
        is_all=is_all,
    )


def count_try(portal: Portal, caller: Caller) -> None:
    """Raises TooManyRequests."""
    portal.limiter.count(portal.settings.sign_in_limit, "password", caller.user_id or "")


def person_of(database: Database, caller: Caller) -> User:
    """Raises NoPerson."""
    if caller.user_id is None:
        raise NoPerson("Your token belongs to no person, so it has no password. Nothing changed.")
    with database.reading() as session:
        return UserRepository(session).load(caller.user_id)


def check_then(
    database: Database,
    caller: Caller,
    password: str,
    change: Callable[[Session, User], T],
    *,
    is_all: bool = True,
) -> T:
    """See `with_own_password`; no transaction is open while the password is checked."""
    person = person_of(database, caller)
    checked = person.password_hash
    right = check_password(password, checked)
    with database.transaction() as session:
        user = UserRepository(session).load(person.id, lock=True)
        # Where sign-ins need a code too, the password alone takes back no guess of one.
        is_enough = is_all and SecondFactorRepository(session).confirmed(user.id) is None
        known = judge_password(session, user, checked, SESSION, right=right, is_all=is_enough)
        if known:
            return change(session, user)
    raise WrongPassword(
        "It is wrong, or the account is locked for a while after several wrong ones. "
        "Nothing was changed. Ask an admin of your organisation for a link to set a new one."
    )

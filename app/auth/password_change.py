"""Changes a person's own password."""

from fastapi import Request
from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.auth.cookies import cookie_of
from app.auth.own_password import check_then, count_try, person_of
from app.auth.second_factor.repository import SecondFactorRepository
from app.core.db import Database
from app.core.portal import Portal
from app.core.security import Caller, hash_secret
from app.models.user import User
from app.users.schemas import PasswordChange
from app.users.service import hash_new_password, set_password


async def change_password(
    request: Request, portal: Portal, caller: Caller, body: PasswordChange
) -> None:
    """Change the caller's own password, rate-limited. Raises what `change_own_password` raises."""
    count_try(portal, caller)
    secret = cookie_of(request, portal.settings)
    await portal.passwords.run(
        change_own_password,
        portal.database,
        caller,
        current=body.current.get_secret_value(),
        new=body.new.get_secret_value(),
        keep=None if secret is None else hash_secret(secret),
    )


def change_own_password(
    database: Database, caller: Caller, *, current: str, new: str, keep: str | None
) -> None:
    """Set a new password, and end all sessions but `keep` and all tokens but the caller's.

    Raises NoPerson, WrongPassword, WeakPassword.
    """
    new_hash = hash_new_password(new, person_of(database, caller).email)

    def change(session: Session, user: User) -> None:
        has_factor = SecondFactorRepository(session).confirmed(user.id) is not None
        ended = set_password(
            session,
            user,
            new_hash,
            keep=keep,
            keep_token=caller.token_id,
            forgives=not has_factor,  # or guesses of codes would be forgiven too
        )
        record(session, caller, Action.PASSWORD_CHANGED, user.id, tokens_deleted=ended)

    check_then(database, caller, current, change)

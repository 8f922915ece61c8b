"""Changes a person's own password; wrong ones are counted as at the sign-in."""

from fastapi import Request

from app.audit.log import Action, record
from app.auth.cookies import cookie_of
from app.auth.sessions.failures import SESSION, judge_password
from app.core.db import Database
from app.core.errors import Invalid
from app.core.passwords import check_password
from app.core.portal import Portal
from app.core.security import Caller, hash_secret
from app.users.repository import UserRepository
from app.users.schemas import PasswordChange
from app.users.service import NoPerson, hash_new_password, set_password


class WrongPassword(Invalid):
    code = "wrong-password"
    title = "The current password is wrong"


async def change_password(
    request: Request, portal: Portal, caller: Caller, body: PasswordChange
) -> None:
    """Change the caller's own password, rate-limited. Raises what `change_own_password` raises."""
    portal.limiter.count(portal.settings.sign_in_limit, "password", caller.user_id or "")
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
    if caller.user_id is None:
        raise NoPerson("Your token belongs to no person, so there is no password to change.")
    with database.reading() as session:
        user = UserRepository(session).load(caller.user_id)
    checked = user.password_hash
    right = check_password(current, checked)
    new_hash = hash_new_password(new, user.email)
    with database.transaction() as session:
        user = UserRepository(session).load(caller.user_id, lock=True)
        known = judge_password(session, user, checked, SESSION, right=right)
        if known:
            ended = set_password(session, user, new_hash, keep=keep, keep_token=caller.token_id)
            record(session, caller, Action.PASSWORD_CHANGED, user.id, tokens_deleted=ended)
    if not known:
        raise WrongPassword(
            "It is wrong, or the account is locked for a while after several wrong ones. "
            "Nothing was changed. Ask an admin of your organisation for a link to set a new one."
        )

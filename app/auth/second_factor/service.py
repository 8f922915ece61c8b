"""Adds, checks and removes the second factor of a person's sign-in with a password.

Whoever signs in at an identity provider is asked there.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.audit.log import Action, record, record_by_portal
from app.auth.failures import SESSION, judge_password
from app.auth.own_password import with_own_password
from app.auth.second_factor import codes
from app.auth.second_factor.codes import Match
from app.auth.second_factor.repository import SecondFactorRepository
from app.auth.second_factor.schemas import (
    SecondFactorBegin,
    SecondFactorBegun,
    SecondFactorRead,
    SecondFactorRemove,
)
from app.core.clock import utc_now
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.portal import Portal
from app.core.security import Caller
from app.core.vault import Vault
from app.models.second_factor import SecondFactor
from app.models.user import User
from app.users.repository import UserRepository
from app.users.service import NoPerson, check_theirs


class WrongSecondFactor(Invalid):
    code = "wrong-second-factor"
    title = "This code is not right"


class SecondFactorThere(Conflict):
    code = "second-factor-there"
    title = "Your account has a second factor"


class OwnSecondFactor(Forbidden):
    code = "own-second-factor"
    title = "Nobody removes their own second factor in this way"


class NoSecondFactor(NotFound):
    code = "no-second-factor"
    title = "There is no second factor"


@dataclass(frozen=True)
class Asked:
    """What a sign-in's second factor came to.

    Attributes:
        factor: None where the account has none, and no code is needed.
        code_was_sent: Whether there was a code at all.
        match: What the code is; None for a wrong one.
    """

    factor: SecondFactor | None
    code_was_sent: bool
    match: Match | None

    @property
    def has_code(self) -> bool:
        return self.factor is not None and self.code_was_sent

    @property
    def is_missing(self) -> bool:
        return self.factor is not None and not self.code_was_sent

    @property
    def is_wrong(self) -> bool:
        return self.has_code and self.match is None

    def use(self) -> str:
        """Accept the code, which then never works again; how the person has signed in."""
        if self.factor is None or self.match is None:
            return "password"
        use(self.factor, self.match)
        return "password and recovery code" if self.match.step is None else "password and code"


def check(session: Session, vault: Vault, user_id: str, code: str | None) -> Asked:
    """Compare a sign-in's code with the person's second factor, and use nothing up yet."""
    factor = SecondFactorRepository(session).confirmed(user_id)
    match = None if factor is None or code is None else find_match(vault, factor, code)
    return Asked(factor, code is not None, match)


async def begin(portal: Portal, caller: Caller, body: SecondFactorBegin) -> SecondFactorBegun:
    """Make a secret for the app. Sign-ins ask for a code once `confirm` has had a first one.

    Raises NoPerson, WrongPassword, SecondFactorThere, TooManyRequests.
    """

    def change(session: Session, user: User) -> SecondFactorBegun:
        factors = SecondFactorRepository(session)
        if factors.confirmed(user.id) is not None:
            raise SecondFactorThere(
                "Sign-ins with your password ask for its code. Nothing was changed. Remove it "
                "first to add another app."
            )
        factors.delete(user.id)
        secret = codes.new_totp_secret()
        factors.add(SecondFactor(user_id=user.id, sealed_secret=portal.vault.seal(secret.encode())))
        address = codes.address_of_secret(secret, user.email)
        return SecondFactorBegun(secret=secret, address=address)

    return await with_own_password(portal, caller, body.password, change)


def confirm(session: Session, portal: Portal, caller: Caller, code: str) -> list[str]:
    """Switch it on with a first code of the app, and make recovery codes.

    Raises NoPerson, NoSecondFactor, SecondFactorThere, WrongSecondFactor, TooManyRequests.
    """
    portal.limiter.count(portal.settings.sign_in_limit, "password", caller.user_id or "")
    user = _person(session, caller, lock=True)
    factor = SecondFactorRepository(session).of(user.id)
    if factor is None:
        raise NoSecondFactor("Begin with your password first. Nothing was changed.")
    if factor.confirmed_at is not None:
        raise SecondFactorThere("It is confirmed already. Nothing was changed.")
    match = find_match(portal.vault, factor, code)
    if match is None:
        raise WrongSecondFactor(
            "The app shows another code at present. Nothing was changed. Type the six digits that "
            "it shows now; if they are refused again, set the clock of the phone right."
        )
    use(factor, match)
    factor.confirmed_at = utc_now()
    made = codes.new_recovery_codes()
    factor.recovery_hashes = [codes.hash_recovery_code(code) for code in made]
    record(session, caller, Action.SECOND_FACTOR_ADDED, user.id)
    return made


async def remove(portal: Portal, caller: Caller, body: SecondFactorRemove) -> None:
    """Ask for no code any more. A wrong one is counted like a wrong password.

    Raises NoPerson, WrongPassword, NoSecondFactor, WrongSecondFactor, TooManyRequests.
    """

    def change(session: Session, user: User) -> bool:
        factors = SecondFactorRepository(session)
        factor = factors.confirmed(user.id)
        if factor is None:
            raise NoSecondFactor("Your account has none. Nothing was changed.")
        right = find_match(portal.vault, factor, body.code.get_secret_value()) is not None
        checked = user.password_hash
        if not judge_password(session, user, checked, SESSION, right=right, what="code"):
            return False
        factors.delete(user.id)
        record(session, caller, Action.SECOND_FACTOR_REMOVED, user.id)
        return True

    if not await with_own_password(portal, caller, body.password, change, is_all=False):
        raise WrongSecondFactor(
            "It is not what the app shows now, it was used before, or the account is locked for a "
            "while after several wrong ones. Nothing was changed. Wait for the app's next code, or "
            "use a recovery code."
        )


def reset(session: Session, caller: Caller, user: User) -> None:
    """Remove that of another person, who has lost the app.

    Raises NoSecondFactor, RoleNotYours, OwnSecondFactor.
    """
    check_theirs(caller, user)
    if user.id == caller.user_id:
        # Or a stolen session of an admin would need neither password nor code.
        raise OwnSecondFactor(
            "Remove your own under Your account, with your password and a code; or ask another "
            "admin. Nothing was changed."
        )
    _expect(session, user)
    SecondFactorRepository(session).delete(user.id)
    record(session, caller, Action.SECOND_FACTOR_REMOVED, user.id)


def reset_by_operator(session: Session, user: User) -> None:
    """As `reset`, on the machine itself. Raises NoSecondFactor."""
    _expect(session, user)
    SecondFactorRepository(session).delete(user.id)
    record_by_portal(
        session,
        user.organisation_id,
        Action.SECOND_FACTOR_REMOVED,
        user.id,
        by="the operator of the machine",
    )


def read(session: Session, caller: Caller) -> SecondFactorRead:
    """Raises NoPerson."""
    factor = SecondFactorRepository(session).confirmed(_person(session, caller).id)
    if factor is None:
        return SecondFactorRead(since=None, recovery_codes_left=0)
    return SecondFactorRead(
        since=factor.confirmed_at, recovery_codes_left=len(factor.recovery_hashes)
    )


def find_match(vault: Vault, factor: SecondFactor, code: str) -> Match | None:
    """What this code is, if it is right: one of the app, or a recovery code."""
    return codes.match_app_code(
        vault.open(factor.sealed_secret).decode(), code, now=utc_now(), after=factor.last_step
    ) or codes.match_recovery_code(factor.recovery_hashes, code)


def use(factor: SecondFactor, match: Match) -> None:
    """Accept a right code, which then never works again."""
    if match.step is not None:
        factor.last_step = match.step
    factor.recovery_hashes = [
        hashed for hashed in factor.recovery_hashes if hashed != match.recovery_hash
    ]


def _expect(session: Session, user: User) -> None:
    if SecondFactorRepository(session).confirmed(user.id) is None:
        raise NoSecondFactor(f"Sign-ins of {user.name} ask for no code. Nothing was changed.")


def _person(session: Session, caller: Caller, *, lock: bool = False) -> User:
    if caller.user_id is None:
        raise NoPerson("Your token belongs to no person. Nothing was changed.")
    return UserRepository(session).load(caller.user_id, lock=lock)

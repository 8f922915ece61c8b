"""Finds the account of an identity that signed in at the identity provider.

An account is found by issuer and subject. At the first sign-in the identity is linked: to the
account with the address that the provider has verified, or to the one that an open invitation to
this address promises. Nobody gets an account in another way.
"""

from datetime import timedelta

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.auth.failures import record_failure
from app.auth.sessions.service import SignedIn, open_session
from app.core.clock import utc_now
from app.core.db import Database
from app.core.errors import BadRequest, Forbidden, NotFound, Problem
from app.core.oidc_client import Identity
from app.core.schemas import Line
from app.models.user import User
from app.users.invitations import service as invitations
from app.users.invitations.repository import InvitationRepository
from app.users.repository import UserRepository
from app.users.schemas import Email
from app.users.service import caller_of

_email: TypeAdapter[str] = TypeAdapter(Email)
_line: TypeAdapter[str] = TypeAdapter(Line)


class NoProvider(NotFound):
    code = "no-identity-provider"
    title = "This portal has no identity provider"


class NotBegun(BadRequest):
    code = "oidc-not-begun"
    title = "This sign-in was not begun in this browser, or too long ago"


class ProviderRefused(Forbidden):
    code = "oidc-refused"
    title = "The identity provider refused the sign-in"


class AddressNotVerified(Forbidden):
    code = "oidc-address-not-verified"
    title = "The identity provider has not verified an address"


class NoAccount(Forbidden):
    code = "oidc-no-account"
    title = "There is no account for you here"


class OtherIdentity(Forbidden):
    code = "oidc-other-identity"
    title = "The account belongs to another identity"


class SeveralInvitations(Forbidden):
    code = "oidc-several-invitations"
    title = "Several organisations invite you"


class NotLetIn(Forbidden):
    code = "oidc-account-disabled"
    title = "The account was disabled"


def sign_in(
    database: Database, identity: Identity, *, lasts: timedelta, replaces: str | None
) -> SignedIn:
    """Begin a session for who has signed in elsewhere.

    Args:
        database: Holds people and sessions.
        identity: As the provider has proven it.
        lasts: Longest life of the session.
        replaces: The cookie that the browser had before: its session ends.

    Raises:
        Problem: One of the above; where an account is known, its organisation's log records it.
    """
    with database.transaction() as session:
        found = _find(session, identity)
        result = (
            found
            if isinstance(found, Problem)
            else _admit(session, found, lasts=lasts, replaces=replaces)
        )
    # Only now, so that the log entry about it is committed.
    if isinstance(result, Problem):
        raise result
    return result


def _find(session: Session, identity: Identity) -> User | Problem:
    users = UserRepository(session)
    known = users.find_by_subject(identity.issuer, identity.subject)
    if known is not None:
        return users.load(known.id, lock=True)
    email = _address(identity)
    if email is None:
        return _not_verified()
    named = users.find_by_email(email)
    if named is not None:
        return _link(session, users.load(named.id, lock=True), identity)
    if not identity.verified:
        return _not_verified()
    return _join(session, email, identity)


def _address(identity: Identity) -> str | None:
    try:
        return None if identity.email is None else _email.validate_python(identity.email)
    except ValidationError:
        return None


def _link(session: Session, user: User, identity: Identity) -> User | Problem:
    if not identity.verified:
        record_failure(session, user, Action.SIGN_IN_FAILED, reason="address not verified")
        return _not_verified()
    if user.oidc_subject is not None and (
        (user.oidc_issuer, user.oidc_subject) != (identity.issuer, identity.subject)
    ):
        record_failure(session, user, Action.SIGN_IN_FAILED, reason="another identity")
        return OtherIdentity(
            "You were not signed in. Another identity at the provider signed in to this "
            "account before. Ask an admin of your organisation."
        )
    if user.oidc_subject is None and user.disabled_at is None:
        user.oidc_issuer, user.oidc_subject = identity.issuer, identity.subject
        session.flush()
        record(session, caller_of(user), Action.USER_CHANGED, user.id, changed=["identity"])
    return user


def _join(session: Session, email: str, identity: Identity) -> User | Problem:
    open_ones = InvitationRepository(session).lock_open_to(email, utc_now())
    if not open_ones:
        return NoAccount(
            "You were not signed in. The identity provider knows you; this portal has neither an "
            "account with your address nor an invitation to it. Ask an admin of your organisation."
        )
    if len({invitation.organisation_id for invitation in open_ones}) > 1:
        return SeveralInvitations(
            "You were not signed in. Join your organisation by the link of its invitation."
        )
    user = invitations.join(
        session, open_ones[0], name=_name(identity) or email, password_hash=None
    )
    user.oidc_issuer, user.oidc_subject = identity.issuer, identity.subject
    session.flush()
    return user


def _name(identity: Identity) -> str | None:
    try:
        return _line.validate_python(identity.name[:200])
    except ValidationError:
        return None


def _admit(
    session: Session, user: User, *, lasts: timedelta, replaces: str | None
) -> SignedIn | Problem:
    organisation = UserRepository(session).organisation_of(user)
    if user.disabled_at is not None or organisation.disabled_at is not None:
        record_failure(session, user, Action.SIGN_IN_FAILED, reason="disabled")
        return NotLetIn("You were not signed in. Ask an admin of your organisation.")
    return open_session(
        session, user, organisation, lasts=lasts, by="identity provider", replaces=replaces
    )


def _not_verified() -> AddressNotVerified:
    return AddressNotVerified(
        "You were not signed in. At the first sign-in the identity provider has to give a mail "
        "address that it has verified. Ask its administrator, or sign in with your password."
    )

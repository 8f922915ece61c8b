"""Presents the caller's own identity and permissions."""

from sqlalchemy.orm import Session

from app.auth.sessions.repository import WebSessionRepository
from app.auth.sessions.schemas import SessionRead
from app.auth.sessions.service import SignedIn
from app.core.security import Caller, hash_secret
from app.maintenance.drain import drained_since
from app.models.organisation import Organisation
from app.users.repository import UserRepository
from app.users.service import caller_of


def read_signed_in(signed_in: SignedIn) -> SessionRead:
    caller = caller_of(signed_in.user)
    return SessionRead(
        organisation_id=signed_in.organisation.id,
        organisation=signed_in.organisation.name,
        user_id=signed_in.user.id,
        name=signed_in.user.name,
        email=signed_in.user.email,
        roles=list(caller.roles),
        permissions=sorted(caller.permissions),
        csrf_token=signed_in.session.csrf_token,
        expires_at=signed_in.session.expires_at,
    )


def read_caller(session: Session, caller: Caller, cookie: str | None) -> SessionRead:
    if caller.token_id is None and cookie is not None:
        found = WebSessionRepository(session).find_by_hash(hash_secret(cookie))
        if found is not None:
            row, user, organisation = found
            signed_in = read_signed_in(SignedIn("", row, user, organisation))
            return signed_in.model_copy(update={"drained_at": drained_since(session)})
    organisation = session.get_one(Organisation, caller.organisation_id)
    person = None if caller.user_id is None else UserRepository(session).load(caller.user_id)
    return SessionRead(
        organisation_id=organisation.id,
        organisation=organisation.name,
        user_id=caller.user_id,
        name=caller.name,
        email=None if person is None else person.email,
        roles=list(caller.roles),
        permissions=sorted(caller.permissions),
        csrf_token=None,
        expires_at=None,
        drained_at=drained_since(session),
    )

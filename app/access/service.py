"""Requests access to a release and decides on it; both organisations' logs record each step."""

from sqlalchemy.orm import Session

from app.access import grants
from app.access.notices import notify_owner, notify_recipients, notify_requester, until
from app.access.policy import AccessState, ReleaseWithdrawn, access_of
from app.access.repository import AccessRepository, Direction
from app.access.schemas import (
    AccessGrant,
    AccessRefusal,
    AccessRequestChange,
    AccessRequestCreate,
    DirectGrant,
)
from app.audit.log import Action, record
from app.core.clock import utc_now
from app.core.errors import Conflict
from app.core.security import Caller
from app.models.access import OPEN_REQUESTS, AccessRequest, Grant, RequestStatus
from app.models.release import Release, ReleaseStatus
from app.organisations.repository import OrganisationRepository
from app.users.repository import UserRepository

SETTLED = (
    AccessState.OWNER,
    AccessState.REQUESTED,
    AccessState.RETURNED,
    AccessState.TERMS_TO_ACCEPT,
    AccessState.GRANTED,
)
"""States in which there is nothing to request: access exists or was requested."""


class AccessExists(Conflict):
    code = "access-exists"
    title = "There is nothing to request"


class RequestClosed(Conflict):
    code = "request-closed"
    title = "The request was decided"


def request(
    session: Session, caller: Caller, release_id: str, body: AccessRequestCreate
) -> AccessRequest:
    """Raises ReleaseNotFound, ReleaseWithdrawn, AccessExists."""
    release = AccessRepository(session).readable_by(caller).release(release_id, lock=True)
    if release.status == ReleaseStatus.WITHDRAWN:
        raise ReleaseWithdrawn("It was withdrawn; there is nothing left to request.")
    state = access_of(session, caller, release).state
    if state in SETTLED:
        raise AccessExists(
            f"Your organisation's access is `{state.value}`. No request was made.",
            access=state.value,
        )
    user = None if caller.user_id is None else UserRepository(session).load(caller.user_id)
    row = AccessRequest(
        release_id=release.id,
        owner_id=release.organisation_id,
        organisation_id=caller.organisation_id,
        user_id=caller.user_id,
        requester=caller.name,
        requester_email="" if user is None else user.email,
        purpose=body.purpose,
    )
    AccessRepository(session).add(row)
    notify_owner(session, row, release, "asks for")
    record(
        session, caller, Action.ACCESS_REQUESTED, row.id, also=(row.owner_id,), release=release.id
    )
    return row


def change(
    session: Session, caller: Caller, request_id: str, body: AccessRequestChange
) -> AccessRequest:
    """Send it again with another purpose. Raises RequestNotFound, RequestClosed."""
    row = _open(session, caller, request_id, Direction.SENT)
    row.purpose, row.status, row.reason = body.purpose, RequestStatus.REQUESTED, ""
    session.flush()
    release = session.get_one(Release, row.release_id)
    notify_owner(session, row, release, "asks again for")
    record(
        session,
        caller,
        Action.ACCESS_REQUESTED,
        row.id,
        also=(row.owner_id,),
        release=release.id,
        again=True,
    )
    return row


def cancel(session: Session, caller: Caller, request_id: str) -> AccessRequest:
    """By who asked. Raises RequestNotFound, RequestClosed."""
    row = _open(session, caller, request_id, Direction.SENT)
    row.status = RequestStatus.CANCELLED
    session.flush()
    record(session, caller, Action.ACCESS_CANCELLED, row.id, also=(row.owner_id,))
    return row


def grant(session: Session, caller: Caller, request_id: str, body: AccessGrant) -> AccessRequest:
    """Raises RequestNotFound, RequestClosed, ReleaseWithdrawn."""
    row = _open(session, caller, request_id, Direction.RECEIVED)
    release = _not_withdrawn(session, row.release_id)
    _decide(row, caller, RequestStatus.GRANTED, "")
    made = grants.make(session, caller, release, row.organisation_id, body.expires_at, row.id)
    notify_requester(
        session,
        row,
        "access.granted",
        f"Access granted: {release.title}",
        f"Read the terms of {release.title!r} and accept them; then it can be downloaded"
        f"{until(made.expires_at)}.",
    )
    grants.record_grant(session, caller, made)
    return row


def return_request(
    session: Session, caller: Caller, request_id: str, body: AccessRefusal
) -> AccessRequest:
    """Return it with a reason, to be changed. Raises RequestNotFound, RequestClosed."""
    row, title = _refuse(session, caller, request_id, RequestStatus.RETURNED, body.reason)
    notify_requester(
        session,
        row,
        "access.returned",
        f"Your request was returned: {title}",
        f"The reason: {body.reason}\n\nChange the purpose and send it again.",
    )
    record(session, caller, Action.ACCESS_RETURNED, row.id, also=(row.organisation_id,))
    return row


def deny(session: Session, caller: Caller, request_id: str, body: AccessRefusal) -> AccessRequest:
    """Raises RequestNotFound, RequestClosed."""
    row, title = _refuse(session, caller, request_id, RequestStatus.DENIED, body.reason)
    notify_requester(
        session,
        row,
        "access.denied",
        f"Your request was denied: {title}",
        f"The reason: {body.reason}",
    )
    record(session, caller, Action.ACCESS_DENIED, row.id, also=(row.organisation_id,))
    return row


def grant_directly(session: Session, caller: Caller, release_id: str, body: DirectGrant) -> Grant:
    """Without being asked. Raises ReleaseNotFound, OrganisationNotFound, AccessExists."""
    access = AccessRepository(session)
    release = access.readable_by(caller).release(release_id, own=True, lock=True)
    _not_withdrawn(session, release.id)
    other = OrganisationRepository(session).get(body.organisation_id)
    running = [g.organisation_id for g in access.running_grants(release.id, utc_now())]
    if other.id == caller.organisation_id or other.id in running:
        raise AccessExists(f"{other.name} has access already. Nothing was changed.")
    asked = access.last_request(release.id, other.id)
    request_id = None
    if asked is not None and asked.status in OPEN_REQUESTS:
        _decide(asked, caller, RequestStatus.GRANTED, "")
        request_id = asked.id
    made = grants.make(session, caller, release, other.id, body.expires_at, request_id)
    owner = OrganisationRepository(session).load(release.organisation_id)
    notify_recipients(
        session,
        made,
        "access.granted",
        "Access granted",
        f"{owner.name} gives your organisation access. Read the terms and accept them; then it can "
        f"be downloaded{until(made.expires_at)}.",
    )
    grants.record_grant(session, caller, made)
    return made


def close_for_withdrawal(session: Session, release: Release) -> None:
    """Close the requests and grants of a withdrawn release, and notify the requesters."""
    for row in AccessRepository(session).open_requests(release.id):
        row.status, row.reason = RequestStatus.DENIED, "The release was withdrawn."
        row.decided_at = utc_now()
        notify_requester(
            session,
            row,
            "access.denied",
            f"The release was withdrawn: {release.title}",
            "There is nothing left to ask for.",
        )
    grants.end_all(session, release)


def _refuse(
    session: Session, caller: Caller, request_id: str, status: RequestStatus, reason: str
) -> tuple[AccessRequest, str]:
    """The request, decided, and the release's title."""
    row = _open(session, caller, request_id, Direction.RECEIVED)
    _decide(row, caller, status, reason)
    return row, session.get_one(Release, row.release_id).title


def _open(session: Session, caller: Caller, request_id: str, side: Direction) -> AccessRequest:
    row = AccessRepository(session).readable_by(caller).request(request_id, side, lock=True)
    if row.status not in OPEN_REQUESTS:
        raise RequestClosed(
            f"It is `{row.status.value}`; only an open one can be changed or decided. Nothing was "
            "changed.",
            request_status=row.status.value,
        )
    return row


def _decide(row: AccessRequest, caller: Caller, status: RequestStatus, reason: str) -> None:
    row.status, row.reason = status, reason
    row.decided_by, row.decided_at = caller.name, utc_now()


def _not_withdrawn(session: Session, release_id: str) -> Release:
    release = session.get_one(Release, release_id)
    if release.status == ReleaseStatus.WITHDRAWN:
        raise ReleaseWithdrawn("It was withdrawn; access can no longer be granted.")
    return release

"""Asking for a release, and being given it, with both sides' logs telling each step."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.access.repository import AccessRepository, Direction
from app.access.rules import AccessState, ReleaseWithdrawn, access_of
from app.access.schemas import (
    AccessGrant,
    AccessRefusal,
    AccessRequestChange,
    AccessRequestCreate,
    DirectGrant,
    TermsAcceptance,
)
from app.audit.log import Action, record
from app.core.clock import utc_now
from app.core.errors import Conflict
from app.core.security import Caller, Permission
from app.models.access import OPEN_REQUESTS, Acceptance, AccessRequest, Grant, RequestStatus
from app.models.release import Release, ReleaseStatus
from app.models.user import User
from app.notifications.service import Notice, notify, notify_organisation
from app.organisations.repository import OrganisationRepository
from app.releases.repository import ReleaseRepository
from app.users.repository import UserRepository
from app.users.service import NoPerson

REMIND_BEFORE = timedelta(days=14)


class AccessExists(Conflict):
    code = "access-exists"
    title = "There is nothing to ask for"


class RequestClosed(Conflict):
    code = "request-closed"
    title = "The request was decided"


class TermsChanged(Conflict):
    code = "terms-not-these"
    title = "These are not the terms of the release"


class GrantEnded(Conflict):
    code = "grant-ended"
    title = "This access has ended"


def request(
    session: Session, caller: Caller, release_id: str, body: AccessRequestCreate
) -> AccessRequest:
    """Raises ReleaseNotFound, ReleaseWithdrawn, AccessExists."""
    release = ReleaseRepository(session).readable_by(caller).get(release_id, lock=True)
    if release.status == ReleaseStatus.WITHDRAWN:
        raise ReleaseWithdrawn("It was withdrawn; there is nothing left to ask for.")
    state = access_of(session, caller, release).state
    if state in (
        AccessState.OWNER,
        AccessState.REQUESTED,
        AccessState.RETURNED,
        AccessState.TERMS_TO_ACCEPT,
        AccessState.GRANTED,
    ):
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
    _tell_owner(session, row, release, "asks for")
    record(
        session, caller, Action.ACCESS_REQUESTED, row.id, also=(row.owner_id,), release=release.id
    )
    return row


def change(
    session: Session, caller: Caller, request_id: str, body: AccessRequestChange
) -> AccessRequest:
    """Send it again with another purpose. Raises RequestNotFound, RequestClosed."""
    row = (
        AccessRepository(session).readable_by(caller).request(request_id, Direction.SENT, lock=True)
    )
    _expect_open(row)
    row.purpose, row.status, row.reason = body.purpose, RequestStatus.REQUESTED, ""
    session.flush()
    release = ReleaseRepository(session).load(row.release_id)
    _tell_owner(session, row, release, "asks again for")
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
    row = (
        AccessRepository(session).readable_by(caller).request(request_id, Direction.SENT, lock=True)
    )
    _expect_open(row)
    row.status = RequestStatus.CANCELLED
    session.flush()
    record(session, caller, Action.ACCESS_CANCELLED, row.id, also=(row.owner_id,))
    return row


def grant(session: Session, caller: Caller, request_id: str, body: AccessGrant) -> AccessRequest:
    """Raises RequestNotFound, RequestClosed, ReleaseWithdrawn."""
    row = _received(session, caller, request_id)
    release = _not_withdrawn(session, row.release_id)
    _decide(row, caller, RequestStatus.GRANTED, "")
    made = _make_grant(session, caller, release, row.organisation_id, body.expires_at, row.id)
    _tell_requester(
        session,
        row,
        "access.granted",
        f"Access granted: {release.title}",
        f"Read the terms of {release.title!r} and accept them; then it can be downloaded"
        f"{_until(made.expires_at)}.",
    )
    _record_grant(session, caller, made)
    return row


def give_back(
    session: Session, caller: Caller, request_id: str, body: AccessRefusal
) -> AccessRequest:
    """Return it with a reason, to be changed. Raises RequestNotFound, RequestClosed."""
    row = _received(session, caller, request_id)
    _decide(row, caller, RequestStatus.RETURNED, body.reason)
    release = ReleaseRepository(session).load(row.release_id)
    _tell_requester(
        session,
        row,
        "access.returned",
        f"Your request was returned: {release.title}",
        f"The reason: {body.reason}\n\nChange the purpose and send it again.",
    )
    record(session, caller, Action.ACCESS_RETURNED, row.id, also=(row.organisation_id,))
    return row


def deny(session: Session, caller: Caller, request_id: str, body: AccessRefusal) -> AccessRequest:
    """Raises RequestNotFound, RequestClosed."""
    row = _received(session, caller, request_id)
    _decide(row, caller, RequestStatus.DENIED, body.reason)
    release = ReleaseRepository(session).load(row.release_id)
    _tell_requester(
        session,
        row,
        "access.denied",
        f"Your request was denied: {release.title}",
        f"The reason: {body.reason}",
    )
    record(session, caller, Action.ACCESS_DENIED, row.id, also=(row.organisation_id,))
    return row


def grant_directly(session: Session, caller: Caller, release_id: str, body: DirectGrant) -> Grant:
    """Without being asked. Raises ReleaseNotFound, OrganisationNotFound, AccessExists."""
    release = ReleaseRepository(session).readable_by(caller).get_own(release_id, lock=True)
    _not_withdrawn(session, release.id)
    other = OrganisationRepository(session).get(body.organisation_id)
    access = AccessRepository(session)
    running = [g.organisation_id for g in access.running_grants(release.id, utc_now())]
    if other.id == caller.organisation_id or other.id in running:
        raise AccessExists(f"{other.name} has access already. Nothing was changed.")
    asked = access.last_request(release.id, other.id)
    request_id = None
    if asked is not None and asked.status in OPEN_REQUESTS:
        _decide(asked, caller, RequestStatus.GRANTED, "")
        request_id = asked.id
    made = _make_grant(session, caller, release, other.id, body.expires_at, request_id)
    owner = OrganisationRepository(session).load(release.organisation_id)
    notify_organisation(
        session,
        other.id,
        Permission.REQUEST,
        Notice(
            kind="access.granted",
            title=f"Access granted: {release.title}",
            text=f"{owner.name} gives your organisation access to {release.title!r}. Read its "
            f"terms and accept them; then it can be downloaded{_until(made.expires_at)}.",
            link=f"/releases/{release.id}",
            data={"release": release.id, "grant": made.id},
        ),
    )
    _record_grant(session, caller, made)
    return made


def revoke(session: Session, caller: Caller, grant_id: str, reason: str) -> Grant:
    """From now on nothing is downloaded under it. Raises GrantNotFound, GrantEnded."""
    row = (
        AccessRepository(session).readable_by(caller).grant(grant_id, Direction.RECEIVED, lock=True)
    )
    if row.revoked_at is not None:
        raise GrantEnded("It was revoked before. Nothing was changed.")
    _revoke(session, row, by=caller.name, reason=reason)
    record(
        session,
        caller,
        Action.ACCESS_REVOKED,
        row.id,
        also=(row.organisation_id,),
        release=row.release_id,
    )
    return row


def _revoke(session: Session, row: Grant, *, by: str, reason: str) -> None:
    row.revoked_at, row.revoked_by, row.reason = utc_now(), by, reason
    session.flush()
    release = ReleaseRepository(session).load(row.release_id)
    told = f" The reason: {reason}" if reason else ""
    notify_organisation(
        session,
        row.organisation_id,
        Permission.REQUEST,
        Notice(
            kind="access.revoked",
            title=f"Access revoked: {release.title}",
            text=f"The owner of {release.title!r} has revoked your organisation's access.{told} "
            "Stop using it and delete your copies, as its terms say.",
            link=f"/releases/{release.id}",
            data={"release": release.id, "grant": row.id},
        ),
    )


def accept_terms(session: Session, caller: Caller, grant_id: str, body: TermsAcceptance) -> Grant:
    """In the caller's own name. Raises NoPerson, GrantNotFound, GrantEnded, TermsChanged."""
    if caller.user_id is None:
        raise NoPerson(
            "Terms are accepted by a person, and nobody stands behind your token. Sign in, or use "
            "a token of your own (POST /api/v1/tokens without `role`)."
        )
    access = AccessRepository(session)
    row = access.readable_by(caller).grant(grant_id, Direction.SENT, lock=True)
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= utc_now()):
        raise GrantEnded("It was revoked or has expired; there is nothing to accept.")
    release = ReleaseRepository(session).load(row.release_id)
    if body.terms_sha256 != release.terms_sha256:
        raise TermsChanged(
            "The hash is of another text. Nothing was accepted. Read `terms.text` of GET "
            f"/api/v1/releases/{release.id} and send its `terms.sha256`."
        )
    if access.acceptance(row.id) is not None:
        raise GrantEnded("The terms of this grant were accepted before. Nothing was changed.")
    user: User = UserRepository(session).load(caller.user_id)
    access.add(
        Acceptance(
            grant_id=row.id,
            user_id=user.id,
            name=user.name,
            email=user.email,
            accepted_at=utc_now(),
            terms_sha256=release.terms_sha256,
            terms_text=release.terms_text,
        )
    )
    record(
        session,
        caller,
        Action.TERMS_ACCEPTED,
        row.id,
        also=(row.owner_id,),
        release=release.id,
        terms_sha256=release.terms_sha256,
    )
    return row


def close_for_withdrawal(session: Session, release: Release) -> None:
    """A release that was withdrawn: who waits is told, and what runs ends."""
    access = AccessRepository(session)
    for row in access.open_requests(release.id):
        row.status, row.reason = RequestStatus.DENIED, "The release was withdrawn."
        row.decided_at = utc_now()
        _tell_requester(
            session,
            row,
            "access.denied",
            f"The release was withdrawn: {release.title}",
            "There is nothing left to ask for.",
        )
    for held in access.running_grants(release.id, utc_now()):
        held.revoked_at, held.revoked_by = utc_now(), "withdrawal of the release"
        held.reason = release.withdrawal_reason
    session.flush()


def remind(session: Session) -> None:
    """Tell both sides of access that expires soon, and of access that has expired."""
    now = utc_now()
    access = AccessRepository(session)
    for row in access.to_remind(now, now + REMIND_BEFORE):
        row.reminded_at = now
        assert row.expires_at is not None, "only what expires is reminded of"
        _tell_both(
            session,
            row,
            "access.expires",
            "Access expires soon",
            f"It can be downloaded until {row.expires_at:%Y-%m-%d %H:%M} UTC. Whoever needs it "
            "longer asks its owner.",
        )
    for row in access.just_expired(now):
        row.expiry_told_at = now
        _tell_both(
            session,
            row,
            "access.expired",
            "Access has expired",
            "It can be downloaded no longer. Whoever still needs it may ask again.",
        )
    session.flush()


def _received(session: Session, caller: Caller, request_id: str) -> AccessRequest:
    row = (
        AccessRepository(session)
        .readable_by(caller)
        .request(request_id, Direction.RECEIVED, lock=True)
    )
    _expect_open(row)
    return row


def _expect_open(row: AccessRequest) -> None:
    if row.status not in OPEN_REQUESTS:
        raise RequestClosed(
            f"It is `{row.status.value}`; only an open one can be changed or decided. Nothing was "
            "changed.",
            request_status=row.status.value,
        )


def _decide(row: AccessRequest, caller: Caller, status: RequestStatus, reason: str) -> None:
    row.status, row.reason = status, reason
    row.decided_by, row.decided_at = caller.name, utc_now()


def _not_withdrawn(session: Session, release_id: str) -> Release:
    release = ReleaseRepository(session).load(release_id)
    if release.status == ReleaseStatus.WITHDRAWN:
        raise ReleaseWithdrawn("It was withdrawn: nobody can be given it any more.")
    return release


def _make_grant(
    session: Session,
    caller: Caller,
    release: Release,
    organisation_id: str,
    expires_at: datetime | None,
    request_id: str | None,
) -> Grant:
    row = Grant(
        release_id=release.id,
        owner_id=release.organisation_id,
        organisation_id=organisation_id,
        request_id=request_id,
        granted_by=caller.name,
        expires_at=expires_at,
    )
    AccessRepository(session).add(row)
    return row


def _record_grant(session: Session, caller: Caller, row: Grant) -> None:
    record(
        session,
        caller,
        Action.ACCESS_GRANTED,
        row.id,
        also=(row.organisation_id,),
        release=row.release_id,
        to=row.organisation_id,
        expires_at=None if row.expires_at is None else row.expires_at.isoformat(),
    )


def _until(expires_at: datetime | None) -> str:
    return "" if expires_at is None else f" until {expires_at:%Y-%m-%d %H:%M} UTC"


def _tell_owner(session: Session, row: AccessRequest, release: Release, does: str) -> None:
    asking = OrganisationRepository(session).load(row.organisation_id)
    notify_organisation(
        session,
        row.owner_id,
        Permission.SHARE,
        Notice(
            kind="access.requested",
            title=f"{asking.name} {does} {release.title}",
            text=f"{row.requester} of {asking.name} {does} {release.title!r}. Grant it, return it "
            "with a reason, or deny it with one.",
            link=f"/requests/{row.id}",
            data={"release": release.id, "request": row.id},
        ),
    )


def _tell_requester(session: Session, row: AccessRequest, kind: str, title: str, text: str) -> None:
    notice = Notice(
        kind=kind,
        title=title,
        text=text,
        link=f"/releases/{row.release_id}",
        data={"release": row.release_id, "request": row.id},
    )
    if row.user_id is None:
        notify_organisation(session, row.organisation_id, Permission.REQUEST, notice)
    else:
        notify(session, [UserRepository(session).load(row.user_id)], notice)


def _tell_both(session: Session, row: Grant, kind: str, title: str, text: str) -> None:
    release = ReleaseRepository(session).load(row.release_id)
    notice = Notice(
        kind=kind,
        title=f"{title}: {release.title}",
        text=text,
        link=f"/releases/{release.id}",
        data={"release": release.id, "grant": row.id},
    )
    notify_organisation(session, row.organisation_id, Permission.REQUEST, notice)
    notify_organisation(session, row.owner_id, Permission.SHARE, notice)

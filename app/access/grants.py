"""Creates, accepts, revokes and expires grants; both organisations' logs record each step."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.access.notices import notify_both, notify_recipients
from app.access.repository import AccessRepository, Direction
from app.access.schemas import TermsAcceptance
from app.audit.log import Action, record
from app.core.clock import utc_now
from app.core.errors import Conflict
from app.core.security import Caller
from app.models.access import Acceptance, Grant
from app.models.release import Release
from app.users.repository import UserRepository
from app.users.service import NoPerson

REMIND_BEFORE = timedelta(days=14)


class TermsChanged(Conflict):
    code = "terms-not-these"
    title = "These are not the terms of the release"


class GrantEnded(Conflict):
    code = "grant-ended"
    title = "This access has ended"


def make(
    session: Session,
    caller: Caller,
    release: Release,
    organisation_id: str,
    expires_at: datetime | None,
    request_id: str | None,
) -> Grant:
    """Add a grant, without notice or log entry yet."""
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


def record_grant(session: Session, caller: Caller, row: Grant) -> None:
    """Record that it was made: last, since the log is locked until the commit."""
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


def revoke(session: Session, caller: Caller, grant_id: str, reason: str) -> Grant:
    """End downloads under a grant. Raises GrantNotFound, GrantEnded."""
    row = (
        AccessRepository(session).readable_by(caller).grant(grant_id, Direction.RECEIVED, lock=True)
    )
    if row.revoked_at is not None:
        raise GrantEnded("It was revoked before. Nothing was changed.")
    row.revoked_at, row.revoked_by, row.reason = utc_now(), caller.name, reason
    session.flush()
    because = f" The reason: {reason}" if reason else ""
    notify_recipients(
        session,
        row,
        "access.revoked",
        "Access revoked",
        f"Its owner has revoked your organisation's access.{because} Stop using it and delete your "
        "copies, as its terms say.",
    )
    record(
        session,
        caller,
        Action.ACCESS_REVOKED,
        row.id,
        also=(row.organisation_id,),
        release=row.release_id,
    )
    return row


def end_all(session: Session, release: Release) -> None:
    """End all grants of a withdrawn release; the withdrawal itself notifies recipients."""
    for row in AccessRepository(session).running_grants(release.id, utc_now()):
        row.revoked_at, row.revoked_by = utc_now(), "withdrawal of the release"
        row.reason = release.withdrawal_reason
    session.flush()


def accept_terms(session: Session, caller: Caller, grant_id: str, body: TermsAcceptance) -> Grant:
    """In the caller's own name. Raises NoPerson, GrantNotFound, GrantEnded, TermsChanged."""
    if caller.user_id is None:
        raise NoPerson(
            "Terms are accepted by a person, and your token belongs to none. Sign in, or use "
            "a token of your own (POST /api/v1/tokens without `role`)."
        )
    access = AccessRepository(session)
    row = access.readable_by(caller).grant(grant_id, Direction.SENT, lock=True)
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= utc_now()):
        raise GrantEnded("It was revoked or has expired; there is nothing to accept.")
    release = session.get_one(Release, row.release_id)
    if body.terms_sha256 != release.terms_sha256:
        raise TermsChanged(
            "The hash is of another text. Nothing was accepted. Read `terms.text` of GET "
            f"/api/v1/releases/{release.id} and send its `terms.sha256`."
        )
    if access.acceptance(row.id) is not None:
        raise GrantEnded("The terms of this grant were accepted before. Nothing was changed.")
    user = UserRepository(session).load(caller.user_id)
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


def remind(session: Session) -> None:
    """Tell both sides of access that expires soon, and of access that has expired."""
    now = utc_now()
    access = AccessRepository(session)
    for row in access.to_remind(now, now + REMIND_BEFORE):
        row.reminded_at = now
        assert row.expires_at is not None, "only what expires is reminded of"
        notify_both(
            session,
            row,
            "access.expires",
            "Access expires soon",
            f"It can be downloaded until {row.expires_at:%Y-%m-%d %H:%M} UTC. Whoever needs it "
            "longer can ask its owner.",
        )
    for row in access.just_expired(now):
        row.expiry_told_at = now
        notify_both(
            session,
            row,
            "access.expired",
            "Access has expired",
            "It can be downloaded no longer. Whoever still needs it may ask again.",
        )
    session.flush()

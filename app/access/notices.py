"""Notices about access requests and grants."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.core.security import Permission
from app.models.access import AccessRequest, Grant
from app.models.release import Release
from app.notifications.service import Notice, notify, notify_organisation
from app.organisations.repository import OrganisationRepository
from app.users.repository import UserRepository


def until(expires_at: datetime | None) -> str:
    """The end of a sentence, with the expiry where there is one."""
    return "" if expires_at is None else f" until {expires_at:%Y-%m-%d %H:%M} UTC"


def notify_owner(session: Session, row: AccessRequest, release: Release, does: str) -> None:
    """Notify the owner that an organisation `does` ("asks for") a release."""
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


def notify_requester(
    session: Session, row: AccessRequest, kind: str, title: str, text: str
) -> None:
    """Notify the sender of a request of its outcome."""
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


def notify_recipients(session: Session, row: Grant, kind: str, title: str, text: str) -> None:
    """Notify the organisation that holds a grant."""
    notice = _of_grant(session, row, kind, title, text)
    notify_organisation(session, row.organisation_id, Permission.REQUEST, notice)


def notify_both(session: Session, row: Grant, kind: str, title: str, text: str) -> None:
    """Notify both organisations of a grant."""
    notice = _of_grant(session, row, kind, title, text)
    notify_organisation(session, row.organisation_id, Permission.REQUEST, notice)
    notify_organisation(session, row.owner_id, Permission.SHARE, notice)


def _of_grant(session: Session, row: Grant, kind: str, title: str, text: str) -> Notice:
    release = session.get_one(Release, row.release_id)
    return Notice(
        kind=kind,
        title=f"{title}: {release.title}",
        text=text,
        link=f"/releases/{release.id}",
        data={"release": release.id, "grant": row.id},
    )

"""Notices to people, shown in the portal and sent by mail where it sends any."""

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.portal import Portal
from app.core.security import Caller, Permission
from app.core.types import JsonObject
from app.models.notification import MailStatus, Notification
from app.models.user import User
from app.notifications.repository import NotificationRepository
from app.notifications.webhook_events import emit


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Content of a notice. Never mentions patients, and has no text from an archive.

    Attributes:
        kind: Stable name, as in ``access.granted``.
        title: One line; also the mail's subject.
        text: A few sentences: what happened, and what may be done next.
        link: Path within the portal.
        data: Ids of what it is about.
    """

    kind: str
    title: str
    text: str
    link: str | None = None
    data: JsonObject = field(default_factory=dict)


def notify(session: Session, people: Collection[User], notice: Notice) -> None:
    """Notify each of these people, and the webhooks of their organisations."""
    _notify(session, people, notice)
    for organisation_id in sorted({user.organisation_id for user in people}):
        emit(session, organisation_id, notice.kind, notice.data)


def notify_organisation(
    session: Session,
    organisation_id: str,
    permission: Permission,
    notice: Notice,
) -> None:
    """Notify the people of an organisation who have this permission, and its webhooks."""
    people = NotificationRepository(session).people_who_may(organisation_id, permission)
    _notify(session, people, notice)
    emit(session, organisation_id, notice.kind, notice.data)


def _notify(session: Session, people: Collection[User], notice: Notice) -> None:
    for user in people:
        NotificationRepository(session).add(_row(notice, email=user.email, user_id=user.id))


def notify_address(
    portal: Portal, session: Session, email: str, notice: Notice, *, secret_link: str
) -> None:
    """Mail a person who may have no account yet, with a link that holds a secret."""
    if not portal.settings.smtp_url.get_secret_value():
        return
    row = _row(notice, email=email, user_id=None)
    row.sealed_link = portal.vault.seal(secret_link.encode())
    NotificationRepository(session).add(row)


def _row(notice: Notice, *, email: str, user_id: str | None) -> Notification:
    return Notification(
        user_id=user_id,
        email=email,
        kind=notice.kind,
        title=notice.title,
        text=notice.text,
        link=notice.link,
        data=notice.data,
        # A portal that sends no mail turns it into NONE: workers do not know whether it does.
        mail_status=MailStatus.PENDING,
    )


def mark_read(session: Session, caller: Caller, notification_id: str) -> Notification:
    """Raises NotificationNotFound."""
    row = NotificationRepository(session).readable_by(caller).get(notification_id)
    if row.read_at is None:
        row.read_at = utc_now()
        session.flush()
    return row


def mark_all_read(session: Session, caller: Caller) -> None:
    NotificationRepository(session).readable_by(caller).mark_all_read(utc_now())

"""Queries for notices."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.outbox import Outbox
from app.core.pagination import Page, paginate
from app.core.repository import Repository
from app.core.security import Caller, Permission, permissions_of
from app.models.notification import MailStatus, Notification
from app.models.user import User

LONGEST_PAUSE = timedelta(hours=12)
"""Before the next try of a mail."""

MAILS = Outbox(
    model=Notification,
    status=Notification.mail_status,
    tries=Notification.mail_tries,
    pending=MailStatus.PENDING,
    longest_pause=LONGEST_PAUSE,
)


class NotificationNotFound(NotFound):
    code = "notification-not-found"
    title = "No such notice"


class ReadableNotifications:
    """The caller's own notices. A token without a person has none."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        # `== None` would be IS NULL, which are the mails to people without an account.
        self._query = select(Notification).where(Notification.user_id == (caller.user_id or ""))

    def get(self, notification_id: str) -> Notification:
        """Raises NotificationNotFound."""
        found = self._session.scalar(self._query.where(Notification.id == notification_id))
        if found is None:
            raise NotificationNotFound(
                "You have no notice with this id; GET /api/v1/notifications lists them."
            )
        return found

    def page(self, *, unread: bool, cursor: str | None, limit: int) -> Page[Notification]:
        query = self._query.where(Notification.read_at.is_(None)) if unread else self._query
        return paginate(self._session, query, Notification, cursor=cursor, limit=limit)

    def mark_all_read(self, now: datetime) -> None:
        ids = self._query.where(Notification.read_at.is_(None)).with_only_columns(Notification.id)
        self._session.execute(
            update(Notification).where(Notification.id.in_(ids)).values(read_at=now)
        )

    def count_unread(self) -> int:
        query = self._query.where(Notification.read_at.is_(None)).subquery()
        return self._session.scalar(select(func.count()).select_from(query)) or 0


class NotificationRepository(Repository[Notification]):
    def readable_by(self, caller: Caller) -> ReadableNotifications:
        return ReadableNotifications(self._session, caller)

    def people_who_may(self, organisation_id: str, permission: Permission) -> list[User]:
        """The people of an organisation who have this permission."""
        enabled = self._session.scalars(
            select(User)
            .where(User.organisation_id == organisation_id, User.disabled_at.is_(None))
            .order_by(User.created_at, User.id)
        )
        return [user for user in enabled if permission in permissions_of(user.roles)]

    def due(self, now: datetime, limit: int = 50) -> Sequence[str]:
        """Ids of notices whose mail is to be sent."""
        return MAILS.due(self._session, now, limit)

    def send_none(self) -> None:
        """Mark all pending mails as not to be sent: this portal sends none."""
        self._session.execute(
            update(Notification)
            .where(Notification.mail_status == MailStatus.PENDING)
            .values(mail_status=MailStatus.NONE, sealed_link=None)
        )

    def take(self, notification_id: str, *, until: datetime) -> Notification | None:
        """Take one to send; None where another portal has it. Its next try is `until`."""
        return MAILS.take(self._session, notification_id, until=until)

    def postpone(self, row: Notification, until: datetime) -> None:
        MAILS.postpone(self._session, row, until)

    def finish(self, row: Notification) -> None:
        """Sent: a link with a secret is kept no longer."""
        MAILS.finish(self._session, row, MailStatus.SENT, sealed_link=None)

    def give_up(self, row: Notification) -> None:
        MAILS.give_up(self._session, row, MailStatus.FAILED, sealed_link=None)

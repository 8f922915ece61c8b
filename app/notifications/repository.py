"""Every query about notices."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.errors import NotFound
from app.core.pagination import Page, paginate
from app.core.security import Caller
from app.models.notification import MailStatus, Notification


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

    def count_unread(self) -> int:
        query = self._query.where(Notification.read_at.is_(None)).subquery()
        return self._session.scalar(select(func.count()).select_from(query)) or 0


class NotificationRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def readable_by(self, caller: Caller) -> ReadableNotifications:
        return ReadableNotifications(self._session, caller)

    def add(self, notification: Notification) -> Notification:
        self._session.add(notification)
        self._session.flush()
        return notification

    def due(self, now: datetime, limit: int = 50) -> Sequence[str]:
        """Ids of notices whose mail is to be sent."""
        return self._session.scalars(
            select(Notification.id)
            .where(
                Notification.mail_status == MailStatus.PENDING,
                or_(Notification.next_try_at.is_(None), Notification.next_try_at <= now),
            )
            .order_by(Notification.created_at)
            .limit(limit)
        ).all()

    def send_none(self) -> None:
        """No mail of any of them: this portal sends none."""
        self._session.execute(
            update(Notification)
            .where(Notification.mail_status == MailStatus.PENDING)
            .values(mail_status=MailStatus.NONE, sealed_link=None)
        )

    def take(self, notification_id: str, *, until: datetime) -> Notification | None:
        """Take one to send; None where another portal has it. Its next try is `until`."""
        now = utc_now()
        taken = self._session.execute(
            update(Notification)
            .where(
                Notification.id == notification_id,
                Notification.mail_status == MailStatus.PENDING,
                or_(Notification.next_try_at.is_(None), Notification.next_try_at <= now),
            )
            .values(next_try_at=until, mail_tries=Notification.mail_tries + 1)
            .returning(Notification.id)
            .execution_options(synchronize_session=False)
        ).scalar_one_or_none()
        if taken is None:
            return None
        return self._session.get(Notification, notification_id, populate_existing=True)

    def postpone(self, notification_id: str, until: datetime) -> None:
        self._session.execute(
            update(Notification).where(Notification.id == notification_id).values(next_try_at=until)
        )

    def finish(self, notification_id: str, status: MailStatus) -> None:
        """Sent, or given up: a link with a secret is kept no longer."""
        self._session.execute(
            update(Notification)
            .where(Notification.id == notification_id)
            .values(mail_status=status, sealed_link=None, next_try_at=None)
        )

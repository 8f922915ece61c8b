from datetime import datetime
from typing import Any

from app.core.schemas import PageRead, ReplyModel
from app.models.notification import MailStatus


class NotificationRead(ReplyModel):
    id: str
    created_at: datetime
    kind: str
    title: str
    text: str
    link: str | None
    data: dict[str, Any]
    read_at: datetime | None
    mail_status: MailStatus


class NotificationsRead(PageRead[NotificationRead]):
    unread: int

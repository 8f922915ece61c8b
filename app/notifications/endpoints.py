from typing import Annotated

from fastapi import APIRouter, Query

from app.auth.dependencies import Anybody
from app.core.dependencies import Cursor, Limit, ReadSession, WriteSession
from app.core.schemas import problems
from app.notifications import service
from app.notifications.repository import NotificationRepository
from app.notifications.schemas import NotificationRead, NotificationsRead

router = APIRouter(
    prefix="/notifications", tags=["notifications"], responses=problems(401, 403, 422)
)


@router.get("")
def list_notifications(
    session: ReadSession,
    caller: Anybody,
    unread: Annotated[bool, Query(description="Only those not read yet.")] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> NotificationsRead:
    """The caller's notices, newest first."""
    notices = NotificationRepository(session).readable_by(caller)
    page = notices.page(unread=unread, cursor=cursor, limit=limit)
    return NotificationsRead.of(page, unread=notices.count_unread())


@router.post("/{notification_id}/read", responses=problems(404))
def read_notification(
    notification_id: str, session: WriteSession, caller: Anybody
) -> NotificationRead:
    """Mark it as read."""
    return NotificationRead.of(service.mark_read(session, caller, notification_id))

"""What waits for whoever signed in."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.dependencies import ReadSession
from app.notifications.repository import NotificationRepository
from app.web.render import page
from app.web.visitors import Visitor

router = APIRouter()


@router.get("/")
def show_home(request: Request, session: ReadSession, caller: Visitor) -> Response:
    notices = NotificationRepository(session).readable_by(caller)
    return page(
        request,
        "home/home.html",
        notices=notices.page(unread=True, cursor=None, limit=10).items,
    )

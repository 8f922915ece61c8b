"""Home page: pending items of the visitor."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.dependencies import ReadSession
from app.notifications.repository import NotificationRepository
from app.overview.service import overview, running_jobs
from app.web.dependencies import Reader, Visitor
from app.web.render import page

router = APIRouter()


@router.get("/")
def show_home(request: Request, session: ReadSession, caller: Visitor) -> Response:
    notices = NotificationRepository(session).readable_by(caller)
    return page(
        request,
        "home/home.html",
        overview=overview(session, caller),
        notices=notices.page(unread=True, cursor=None, limit=5),
        unread=notices.count_unread(),
    )


@router.get("/home/jobs")
def show_jobs(request: Request, session: ReadSession, caller: Reader) -> Response:
    """The part of the page that follows what runs."""
    return page(request, "home/jobs.html", jobs=running_jobs(session, caller))

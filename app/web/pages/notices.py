"""Page of all notifications."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from app.core.dependencies import Cursor, ReadSession, WriteSession
from app.notifications import service
from app.notifications.repository import NotificationRepository
from app.web.dependencies import Visitor
from app.web.pages.sign_in import local_path
from app.web.render import go_to, page

router = APIRouter(prefix="/notices")

Back = Annotated[str, Form(max_length=500)]
"""The page that the form was on."""


@router.get("")
def show_notices(
    request: Request,
    session: ReadSession,
    caller: Visitor,
    unread: Annotated[bool, Query()] = False,
    cursor: Cursor = None,
) -> Response:
    notices = NotificationRepository(session).readable_by(caller)
    return page(
        request,
        "notices/notices.html",
        notices=notices.page(unread=unread, cursor=cursor, limit=50),
        unread=notices.count_unread(),
        only_unread=unread,
    )


@router.post("/read")
def read_all_notices(
    request: Request, session: WriteSession, caller: Visitor, back: Back = "/notices"
) -> Response:
    service.mark_all_read(session, caller)
    return go_to(request, local_path(back), note="note-notices-read")


@router.post("/{notice_id}/read")
def read_notice(
    request: Request,
    notice_id: str,
    session: WriteSession,
    caller: Visitor,
    back: Back = "/notices",
) -> Response:
    """Mark it as read; from its link, redirect to its subject."""
    service.mark_read(session, caller, notice_id)
    return go_to(request, local_path(back))

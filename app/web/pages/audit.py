"""Pages of the organisation's log: read, filter, verify, export."""

from datetime import datetime, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.audit.chain import BrokenChain
from app.audit.log import Action
from app.audit.repository import AuditRepository
from app.audit.verify import check
from app.core.dependencies import Cursor, ReadSession
from app.web.dependencies import Auditor
from app.web.pages.publish import day
from app.web.render import page

router = APIRouter()

ON_A_PAGE = 100
CHECKED_BY_ITSELF = 20_000
"""A log of up to so many entries is verified when the page opens, in about a second."""


@router.get("/audit")
def show_log(
    request: Request,
    session: ReadSession,
    caller: Auditor,
    action: str = "",
    subject: str = "",
    since: str = "",
    until: str = "",
    cursor: Cursor = None,
) -> Response:
    log = AuditRepository(session).readable_by(caller)
    found = log.page(
        action=action.strip() or None,
        subject=subject.strip() or None,
        since=day(since),
        until=_after(day(until)),
        cursor=cursor,
        limit=ON_A_PAGE,
    )
    given = {"action": action, "subject": subject, "since": since, "until": until}
    given = {name: text.strip() for name, text in given.items() if text.strip()}
    query = urlencode(given)
    return page(
        request,
        "audit/audit.html",
        found=found,
        head=log.head(),
        checks_itself=log.head().number <= CHECKED_BY_ITSELF,
        actions=list(Action),
        given=given,
        query=f"&{query}" if query else "",
    )


def _after(begins: datetime | None) -> datetime | None:
    """The day after one that is to be in it; None where the calendar has none."""
    try:
        return None if begins is None else begins + timedelta(days=1)
    except OverflowError:
        return None


@router.get("/audit/chain")
def check_chain(request: Request, session: ReadSession, caller: Auditor) -> Response:
    """Follow the chain from the first entry to the last; a part of the page, or one by itself."""
    try:
        end, broken = check(session, caller.organisation_id), None
    except BrokenChain as error:
        end, broken = None, str(error)
    return page(request, "audit/chain.html", end=end, broken=broken)

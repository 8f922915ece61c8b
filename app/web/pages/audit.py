"""Pages of the organisation's log: read, filter, verify, export."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.audit.chain import BrokenChain
from app.audit.log import Action
from app.audit.repository import AuditRepository
from app.audit.verify import check_since
from app.core.dependencies import Cursor, PortalDep, ReadSession
from app.core.vault import WrongSecretKey
from app.organisations.keys.service import sealed_key
from app.web.dependencies import Auditor
from app.web.pages.publish import day
from app.web.render import page

router = APIRouter()

ON_A_PAGE = 100


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
def check_chain(
    request: Request,
    portal: PortalDep,
    session: ReadSession,
    caller: Auditor,
    whole: Annotated[bool, Query()] = False,
) -> Response:
    """Follow the chain to its last entry; a part of the page, or one by itself.

    From the signed checkpoint on, or with `whole` from the first entry.
    """
    key = None
    if not whole:
        with suppress(WrongSecretKey):  # a log is followed without it too, from the first entry
            key = sealed_key(session, portal.vault, caller.organisation_id)
    found, broken = None, None
    try:
        found = check_since(session, caller.organisation_id, key)
    except BrokenChain as error:
        broken = str(error)
    return page(request, "audit/chain.html", found=found, broken=broken)

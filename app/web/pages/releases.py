"""Pages of releases: own ones, and one of any organisation with access and scores."""

import json
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Depends, Request, UploadFile
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.access import service as access
from app.access.policy import AccessState
from app.access.presenters import read_grants, read_requests
from app.access.repository import AccessRepository, Direction
from app.access.schemas import AccessRequestCreate, AccessRequestRead, DirectGrant
from app.core.clock import utc_now
from app.core.dependencies import Cursor, PortalDep, ReadSession, WriteSession
from app.core.errors import Invalid
from app.core.roles import hospital_only
from app.core.security import Caller, Permission
from app.federation.connections.repository import ConnectionRepository
from app.federation.shares import service as sharing
from app.models.access import OPEN_REQUESTS
from app.models.release import Release
from app.models.share import ShareStatus
from app.organisations.repository import OrganisationRepository
from app.releases import service
from app.releases.download import send_bundle
from app.releases.duo import parse_conditions
from app.releases.repository import ReleaseRepository
from app.releases.schemas import ReleaseRead, ReleaseWithdraw
from app.scores import service as scores
from app.scores.schemas import ScoreCreate
from app.web.dependencies import Reader, Requester, Sharer
from app.web.forms import Sent, checked, confirmed
from app.web.pages.publish import day
from app.web.render import go_to, page
from app.web.utility import utility_of

router = APIRouter()

ON_A_PAGE = 50
AT_A_GLANCE = 10
SCORE_BYTES = 200_000


@router.get("/releases")
def show_releases(
    request: Request, session: ReadSession, caller: Reader, cursor: Cursor = None
) -> Response:
    releases = ReleaseRepository(session)
    found = releases.readable_by(caller).own_page(cursor=cursor, limit=ON_A_PAGE)
    ids = [row.id for row in found.items]
    return page(
        request,
        "releases/releases.html",
        found=found,
        waiting=AccessRepository(session).count_waiting(ids),
        downloads=releases.downloads_of(ids),
    )


@router.get("/releases/{release_id}")
def show_release(
    request: Request, release_id: str, session: ReadSession, portal: PortalDep, caller: Reader
) -> Response:
    releases = ReleaseRepository(session)
    row = releases.readable_by(caller).get(release_id)
    read = service.read(session, portal.storage, caller, row, most_scores=ON_A_PAGE + 1)
    is_owner = read.access.state == AccessState.OWNER
    return page(
        request,
        "releases/release.html",
        release=read,
        scores=read.scores[-ON_A_PAGE:],
        more_scores=len(read.scores) > ON_A_PAGE,
        utility=utility_of(row.facts),
        privacy=row.facts.get("privacy") or {},
        certificate=service.has_certificate(portal.storage, row.id),
        duo=parse_conditions(row.duo_codes),
        versions=releases.versions(row),
        now=utc_now(),
        today=utc_now().date().isoformat(),
        successor=_successor(session, row),
        asked=_asked(session, caller, read),
        owners=_owners_part(session, caller, row) if is_owner else None,
        shares=_shares(session, caller, row) if is_owner and row.distillation_id else None,
    )


def _successor(session: Session, row: Release) -> Release | None:
    if row.superseded_by is None:
        return None
    return ReleaseRepository(session).load(row.superseded_by)


def _asked(session: Session, caller: Caller, read: ReleaseRead) -> AccessRequestRead | None:
    """The caller's own last request."""
    if read.access.request_id is None:
        return None
    found = AccessRepository(session).readable_by(caller).request(read.access.request_id)
    return read_requests(session, [found])[0]


def _owners_part(session: Session, caller: Caller, row: Release) -> dict[str, Any]:
    """Template context for the owner: requests, grants and recipients."""
    mine = AccessRepository(session).readable_by(caller)
    requests = mine.requests(Direction.RECEIVED, None, row.id, cursor=None, limit=AT_A_GLANCE)
    grants = mine.grants(Direction.RECEIVED, row.id, cursor=None, limit=ON_A_PAGE)
    shares = caller.may(Permission.SHARE)
    downloads = ReleaseRepository(session).downloads(row.id, cursor=None, limit=AT_A_GLANCE)
    return {
        "requests": read_requests(session, requests.items),
        "more_requests": requests.next_cursor is not None,
        "open": OPEN_REQUESTS,
        "grants": read_grants(session, grants.items),
        "more_grants": grants.next_cursor is not None,
        "downloads": service.read_downloads(session, downloads.items) if shares else [],
        "more_downloads": downloads.next_cursor is not None,
        "others": OrganisationRepository(session).others(caller.organisation_id) if shares else [],
    }


def _shares(session: Session, caller: Caller, row: Release) -> dict[str, Any]:
    """Template context for the owner: the hubs that show it, and those that could."""
    shares = sharing.of_release(session, caller, row.id)
    taken = {share.connection_id for share in shares if share.status != ShareStatus.REFUSED}
    connections = ConnectionRepository(session).readable_by(caller).all()
    return {
        "items": shares,
        "hubs": [one for one in connections if one.confirmed_at and one.id not in taken],
        "any": bool(connections),
    }


@router.post("/releases/{release_id}/shares", dependencies=[Depends(hospital_only)])
def share_release(
    request: Request,
    release_id: str,
    session: WriteSession,
    caller: Sharer,
    connection: Sent[str] = "",
) -> Response:
    sharing.share(session, caller, release_id, connection)
    return go_to(request, f"/releases/{release_id}", note="note-share-asked")


@router.get("/releases/{release_id}/downloads")
def show_downloads(
    request: Request, release_id: str, session: ReadSession, caller: Sharer, cursor: Cursor = None
) -> Response:
    releases = ReleaseRepository(session)
    row = releases.readable_by(caller).get_own(release_id)
    found = releases.downloads(row.id, cursor=cursor, limit=ON_A_PAGE)
    return page(
        request,
        "releases/downloads.html",
        release=row,
        found=found,
        downloads=service.read_downloads(session, found.items),
    )


@router.get("/releases/{release_id}/bundle")
async def download_bundle(
    request: Request, release_id: str, portal: PortalDep, caller: Requester
) -> Response:
    return await send_bundle(request, portal, caller, release_id)


@router.post("/releases/{release_id}/requests")
def ask(
    request: Request,
    release_id: str,
    session: WriteSession,
    caller: Requester,
    purpose: Sent[str] = "",
) -> Response:
    body = checked(AccessRequestCreate, purpose=purpose.replace("\r\n", "\n"))
    access.request(session, caller, release_id, body)
    return go_to(request, f"/releases/{release_id}", note="note-asked")


@router.post("/releases/{release_id}/grants")
def grant(
    request: Request,
    release_id: str,
    session: WriteSession,
    caller: Sharer,
    organisation: Sent[str] = "",
    until: Sent[str] = "",
) -> Response:
    body = checked(DirectGrant, organisation_id=organisation, expires_at=day(until, ends=True))
    access.grant_directly(session, caller, release_id, body)
    return go_to(request, f"/releases/{release_id}", note="note-granted")


class WithdrawForm(BaseModel):
    confirm: str = ""
    reason: str = ""


@router.post("/releases/{release_id}/withdraw")
def withdraw(
    request: Request,
    release_id: str,
    session: WriteSession,
    caller: Sharer,
    form: Sent[WithdrawForm],
) -> Response:
    row = ReleaseRepository(session).readable_by(caller).get_own(release_id)
    confirmed(form.confirm, row.title)
    body = checked(ReleaseWithdraw, reason=form.reason.replace("\r\n", "\n"))
    service.withdraw(session, caller, release_id, body.reason)
    return go_to(request, f"/releases/{release_id}", note="note-release-withdrawn")


@router.post("/releases/{release_id}/scores")
def send_score(
    request: Request,
    release_id: str,
    session: WriteSession,
    portal: PortalDep,
    caller: Requester,
    training_id: Sent[str] = "",
    score: UploadFile | None = None,
) -> Response:
    """Send the score of a training on the portal, or the file of `iadd evaluate --bundle --out`."""
    body = (
        checked(ScoreCreate, training_id=training_id)
        if training_id
        else checked(ScoreCreate, score=_document(score))
    )
    scores.send(portal, session, caller, release_id, body)
    return go_to(request, f"/releases/{release_id}", note="note-score-sent")


def _document(file: UploadFile | None) -> Any:
    content = b"" if file is None else file.file.read(SCORE_BYTES + 1)
    if len(content) <= SCORE_BYTES:
        with suppress(ValueError, RecursionError):
            return json.loads(content)
    raise Invalid(
        "This is not a score. Choose the JSON file that `iadd evaluate --bundle … --out "
        "score.json` wrote. Nothing was sent."
    )

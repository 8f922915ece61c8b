from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.auth.dependencies import Reader, Requester, Sharer
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession, WriteSession
from app.core.downloads import certificate_headers, send_object
from app.core.portal import Portal
from app.core.roles import hospital_only
from app.core.schemas import PageRead, problems
from app.core.security import Caller
from app.idempotency import RepeatableDep
from app.models.distillation import Verdict
from app.releases import service
from app.releases.download import send_bundle
from app.releases.publish import publish
from app.releases.repository import ReleaseRepository, Search
from app.releases.schemas import (
    DownloadRead,
    ReleaseBrief,
    ReleaseCreate,
    ReleaseRead,
    ReleaseWithdraw,
)
from app.releases.terms import TermsTemplate

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

router = APIRouter(tags=["releases"], responses=problems(401, 403, 422))

Words = Annotated[
    str | None, Query(max_length=200, description="Words of title and summary; all must occur.")
]
Id = Annotated[str | None, Query(max_length=40)]
Count = Annotated[int | None, Query(ge=0, le=10**6)]


@router.post(
    "/distillations/{distillation_id}/releases",
    status_code=201,
    dependencies=[Depends(hospital_only)],
    responses=problems(400, 404, 409, 413),
)
def create_release(
    distillation_id: str,
    body: ReleaseCreate,
    portal: PortalDep,
    caller: Sharer,
    repeatable: RepeatableDep,
    response: Response,
) -> ReleaseRead:
    """Freeze the next version of a distillation, sign it and show it to others.

    The release policy refuses sets that the audit does not clear, and says why.
    """
    release = publish(portal, caller, distillation_id, body, repeatable)
    response.headers["Location"] = f"/api/v1/releases/{release.id}"
    return release


@router.get("/catalogue")
def search_catalogue(
    session: ReadSession,
    caller: Reader,
    q: Words = None,
    modality: Annotated[str | None, Query(max_length=64)] = None,
    class_name: Annotated[
        str | None, Query(alias="class", max_length=100, description="A class that it has.")
    ] = None,
    organisation_id: Id = None,
    verdict: Verdict | None = None,
    min_images: Count = None,
    max_images: Count = None,
    min_accuracy: Annotated[
        float | None, Query(ge=0, le=1, description="Least balanced accuracy.")
    ] = None,
    terms: TermsTemplate | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PageRead[ReleaseBrief]:
    """Published releases of all organisations, newest first."""
    search = Search(
        text=q,
        modality=modality,
        class_name=class_name,
        organisation_id=organisation_id,
        verdict=verdict,
        fewest_images=min_images,
        most_images=max_images,
        least_accuracy=min_accuracy,
        terms=terms,
    )
    page = (
        ReleaseRepository(session).readable_by(caller).catalogue(search, cursor=cursor, limit=limit)
    )
    return PageRead(items=service.briefs(session, list(page.items)), next_cursor=page.next_cursor)


@router.get("/releases")
def list_releases(
    session: ReadSession, caller: Reader, cursor: Cursor = None, limit: Limit = 50
) -> PageRead[ReleaseBrief]:
    """The releases of the caller's organisation, newest first, also those that were withdrawn."""
    page = ReleaseRepository(session).readable_by(caller).own_page(cursor=cursor, limit=limit)
    return PageRead(items=service.briefs(session, list(page.items)), next_cursor=page.next_cursor)


@router.get("/releases/{release_id}", responses=problems(404))
def get_release(
    release_id: str, session: ReadSession, portal: PortalDep, caller: Reader
) -> ReleaseRead:
    """A release, with the access of the caller's organisation."""
    release = ReleaseRepository(session).readable_by(caller).get(release_id)
    return service.read(session, portal.storage, caller, release)


@router.get(
    "/releases/{release_id}/previews/{position}",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **problems(404)},
)
def get_preview(
    release_id: str,
    position: Annotated[int, Path(ge=0, le=10**6)],
    session: ReadSession,
    portal: PortalDep,
    caller: Reader,
) -> Response:
    """A distilled image, for callers who may see it."""
    content = service.preview(session, portal.storage, caller, release_id, position)
    return Response(content, media_type="image/png")


def _certificate(kind: str, media_type: str) -> Callable[[Endpoint], Endpoint]:
    return router.get(
        f"/releases/{{release_id}}/certificate.{kind}",
        response_class=Response,
        responses={200: {"content": {media_type: {}}}, **problems(404, 416)},
    )


@_certificate("html", "text/html")
async def get_release_certificate_html(
    release_id: str, request: Request, portal: PortalDep, caller: Reader
) -> Response:
    """The privacy certificate as a page, with who decided on the release."""
    return await _send_certificate(request, portal, caller, release_id, "html")


@_certificate("pdf", "application/pdf")
async def get_release_certificate_pdf(
    release_id: str, request: Request, portal: PortalDep, caller: Reader
) -> Response:
    """What was measured, as PDF/A-2b, for paper and for archives."""
    return await _send_certificate(request, portal, caller, release_id, "pdf")


@_certificate("json", "application/json")
async def get_release_certificate_json(
    release_id: str, request: Request, portal: PortalDep, caller: Reader
) -> Response:
    """The privacy certificate for programs, with who decided on the release."""
    return await _send_certificate(request, portal, caller, release_id, "json")


async def _send_certificate(
    request: Request, portal: Portal, caller: Caller, release_id: str, kind: str
) -> Response:
    def find() -> str:
        with portal.database.reading() as session:
            return service.certificate_key(session, portal.storage, caller, release_id, kind)

    key = await run_in_threadpool(find)
    media_type, headers = certificate_headers(kind, release_id)
    return await send_object(request, portal.storage, key, media_type=media_type, headers=headers)


@router.get(
    "/releases/{release_id}/bundle",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}}, **problems(404, 409, 416)},
)
async def download_release(
    release_id: str, request: Request, portal: PortalDep, caller: Requester
) -> Response:
    """The signed bundle, for its owner and for organisations with access and accepted terms."""
    return await send_bundle(request, portal, caller, release_id)


@router.post("/releases/{release_id}/withdraw", responses=problems(400, 404, 409, 413))
def withdraw_release(
    release_id: str,
    body: ReleaseWithdraw,
    session: WriteSession,
    portal: PortalDep,
    caller: Sharer,
    repeatable: RepeatableDep,
) -> ReleaseRead:
    """Withdraw it: recipients are notified, downloads end, a tombstone stays."""

    def withdraw() -> ReleaseRead:
        release = service.withdraw(session, caller, release_id, body.reason)
        return service.read(session, portal.storage, caller, release)

    return repeatable.once(session, caller, ReleaseRead, withdraw)


@router.get("/releases/{release_id}/downloads", responses=problems(404))
def list_downloads(
    release_id: str,
    session: ReadSession,
    caller: Sharer,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PageRead[DownloadRead]:
    """Downloads of an own release, newest first."""
    releases = ReleaseRepository(session)
    release = releases.readable_by(caller).get_own(release_id)
    page = releases.downloads(release.id, cursor=cursor, limit=limit)
    return PageRead(items=service.read_downloads(session, page.items), next_cursor=page.next_cursor)

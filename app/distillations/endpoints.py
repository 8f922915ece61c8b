import hashlib
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Query, Request, Response
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from app.auth.dependencies import Deleter, Distiller, ExpectStill, Once, Reader
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession, WriteSession
from app.core.downloads import REPORT_POLICY, Delivery, certificate_headers, send_object
from app.core.portal import Portal
from app.core.schemas import PageRead, problems
from app.core.security import Caller, Permission
from app.core.stored import expect_intact_bundle
from app.distillations import service
from app.distillations.feeds import Feeds
from app.distillations.presets import presets_document
from app.distillations.purge import purge_distillation
from app.distillations.repository import DistillationRepository
from app.distillations.schemas import DistillationCreate, DistillationRead
from app.distillations.stream import EventStream, follow
from iadd.presets import AUDITS

LARGEST_EVENT_ID = 2**63 - 1
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

router = APIRouter(tags=["distillations"], responses=problems(401, 403, 422))


@router.get("/presets")
def list_presets(_caller: Reader) -> dict[str, Any]:
    """Every preset: what it is for, its settings, and the limits of each."""
    return presets_document()


@router.get("/audits")
def list_audits(_caller: Reader) -> dict[str, Any]:
    """The named sizes of an audit, for `audit` of a distillation: what each finds and sets."""
    return AUDITS


@router.post(
    "/datasets/{dataset_id}/distillations",
    status_code=202,
    responses=problems(400, 404, 409, 413),
)
def create_distillation(
    dataset_id: str, body: DistillationCreate, session: WriteSession, caller: Distiller, once: Once
) -> DistillationRead:
    """Ask for a distilled set; follow it at the address in `Location`."""
    return once(
        DistillationRead,
        lambda: service.start(session, caller, dataset_id, body),
        folder="/api/v1/distillations",
    )


@router.get("/distillations")
def list_distillations(
    session: ReadSession,
    caller: Reader,
    dataset_id: Annotated[str | None, Query(pattern=r"^[a-z0-9_]{1,40}$")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PageRead[DistillationRead]:
    """The distillations of the caller's organisation, newest first."""
    page = (
        DistillationRepository(session)
        .readable_by(caller)
        .page(dataset_id=dataset_id, cursor=cursor, limit=limit)
    )
    return PageRead[DistillationRead].of(page)


@router.get("/distillations/{distillation_id}", responses=problems(404))
def get_distillation(
    distillation_id: str, session: ReadSession, caller: Reader
) -> DistillationRead:
    return DistillationRead.of(
        DistillationRepository(session).readable_by(caller).get(distillation_id)
    )


@router.get(
    "/distillations/{distillation_id}/events",
    response_class=EventSourceResponse,
    responses={
        200: {"content": {"text/event-stream": {}}},
        204: {"description": "It has ended, and the caller has seen every event"},
        **problems(404, 429),
    },
)
async def follow_distillation(
    distillation_id: str,
    request: Request,
    portal: PortalDep,
    caller: Reader,
    expect_still: ExpectStill,
    last_event_id: Annotated[int, Header(ge=0, le=LARGEST_EVENT_ID)] = 0,
) -> Response:
    """Server-sent events `progress`, `metric`, `log`, `status`; ends when the distillation has.

    `Last-Event-ID` goes on after that event, so whoever reconnects misses nothing.
    """
    if await run_in_threadpool(_is_finished, portal, caller, distillation_id, last_event_id):
        # To a browser 204 means: do not connect again.
        return Response(status_code=204)
    feeds: Feeds = request.app.state.feeds
    credential = request.headers.get("authorization") or request.headers.get("cookie", "")
    events = follow(
        feeds,
        distillation_id,
        last_event_id,
        credential=hashlib.sha256(credential.encode()).hexdigest(),
        expect_reader=partial(expect_still, Permission.READ),
    )
    return EventStream(events, at_end=feeds.take_place(caller))


def _is_finished(portal: Portal, caller: Caller, distillation_id: str, last_id: int) -> bool:
    with portal.database.reading() as session:
        distillations = DistillationRepository(session)
        distillation = distillations.readable_by(caller).get(distillation_id)
        ended = distillation.status.is_final
        return ended and not distillations.events.after(distillation_id, last_id, limit=1)


@router.post(
    "/distillations/{distillation_id}/cancel", status_code=202, responses=problems(404, 409)
)
def cancel_distillation(
    distillation_id: str, session: WriteSession, caller: Distiller, once: Once
) -> DistillationRead:
    """Stop at the next step. Computed results are kept, and `retry` continues from them."""
    return once(DistillationRead, lambda: service.cancel(session, caller, distillation_id))


@router.post(
    "/distillations/{distillation_id}/retry", status_code=202, responses=problems(404, 409)
)
def retry_distillation(
    distillation_id: str, session: WriteSession, caller: Distiller, once: Once
) -> DistillationRead:
    """Queue a failed or cancelled one again; it continues from its last checkpoint."""
    return once(DistillationRead, lambda: service.retry(session, caller, distillation_id))


@router.post(
    "/distillations/{distillation_id}/again", status_code=202, responses=problems(404, 409)
)
def distill_again(
    distillation_id: str, session: WriteSession, caller: Distiller, once: Once
) -> DistillationRead:
    """A new distillation with the same settings: after a withdrawal, without those images."""
    return once(
        DistillationRead,
        lambda: service.start_again(session, caller, distillation_id),
        folder="/api/v1/distillations",
    )


@router.delete("/distillations/{distillation_id}", status_code=204, responses=problems(404, 409))
def delete_distillation(distillation_id: str, portal: PortalDep, caller: Deleter) -> Response:
    """Delete its results, checkpoints and events. The dataset and its teachers stay."""
    with portal.reserve.opened():
        with portal.database.transaction() as session:
            service.delete(session, caller, distillation_id)
        # A portal that dies here has hidden it already; the sweeper finishes the removal.
        purge_distillation(portal.database, portal.storage, distillation_id)
    return Response(status_code=204)


def _result(name: str, media_type: str) -> Callable[[Endpoint], Endpoint]:
    return router.get(
        f"/distillations/{{distillation_id}}/{name}",
        response_class=Response,
        responses={200: {"content": {media_type: {}}}, **problems(404, 409, 416)},
    )


@_result("report.json", "application/json")
async def get_report_json(
    distillation_id: str, request: Request, portal: PortalDep, caller: Reader
) -> Response:
    """Utility and privacy of the distilled set as numbers."""
    key = await _key(portal, caller, distillation_id, "report_json_key")
    return await send_object(
        request, portal.storage, key, media_type="application/json", headers={}
    )


@_result("report.html", "text/html")
async def get_report_html(
    distillation_id: str, request: Request, portal: PortalDep, caller: Reader
) -> Response:
    """The report as one self-contained page, with what the images started from.

    That part is for the organisation alone, and goes with its dataset; the page in the bundle has
    none.
    """
    key = await _key(portal, caller, distillation_id, "report_html_key", "internal_html_key")
    headers = {"Content-Security-Policy": REPORT_POLICY}
    return await send_object(
        request, portal.storage, key, media_type="text/html; charset=utf-8", headers=headers
    )


@_result("report.pdf", "application/pdf")
async def get_report_pdf(
    distillation_id: str, request: Request, portal: PortalDep, caller: Reader
) -> Response:
    """The same as PDF/A-2b, for paper and for archives."""
    key = await _key(portal, caller, distillation_id, "report_pdf_key", "internal_pdf_key")
    headers = {"Content-Disposition": f'inline; filename="{distillation_id}.pdf"'}
    return await send_object(
        request, portal.storage, key, media_type="application/pdf", headers=headers
    )


@_result("certificate.html", "text/html")
async def get_certificate_html(
    distillation_id: str, request: Request, portal: PortalDep, caller: Reader
) -> Response:
    """The privacy certificate as a page: what an attacker could learn, and how that is known."""
    return await _send_certificate(request, portal, caller, distillation_id, "html")


@_result("certificate.pdf", "application/pdf")
async def get_certificate_pdf(
    distillation_id: str, request: Request, portal: PortalDep, caller: Reader
) -> Response:
    """The same as PDF/A-2b, for paper and for archives."""
    return await _send_certificate(request, portal, caller, distillation_id, "pdf")


@_result("certificate.json", "application/json")
async def get_certificate_json(
    distillation_id: str, request: Request, portal: PortalDep, caller: Reader
) -> Response:
    """The same for programs."""
    return await _send_certificate(request, portal, caller, distillation_id, "json")


async def _send_certificate(
    request: Request, portal: Portal, caller: Caller, distillation_id: str, kind: str
) -> Response:
    def find() -> str:
        with portal.database.reading() as session:
            key = service.certificate_key(session, portal.storage, caller, distillation_id, kind)
        with portal.database.transaction() as session:
            service.record_certificate(session, caller, distillation_id, kind)
        return key

    key = await run_in_threadpool(find)
    media_type, headers = certificate_headers(kind, distillation_id)
    return await send_object(request, portal.storage, key, media_type=media_type, headers=headers)


@_result("bundle", "application/zip")
async def get_bundle(
    distillation_id: str, request: Request, portal: PortalDep, caller: Reader
) -> Response:
    """The distilled set, ready to verify and to train on."""
    key = await _key(portal, caller, distillation_id, "bundle_key")
    headers = {"Content-Disposition": f'attachment; filename="{distillation_id}.zip"'}

    def check(delivery: Delivery) -> None:
        # Of one that goes on, the beginning was checked.
        if delivery.begins:
            expect_intact_bundle(portal.storage, key)

    return await send_object(
        request,
        portal.storage,
        key,
        media_type="application/zip",
        headers=headers,
        before=check,
    )


async def _key(
    portal: Portal, caller: Caller, distillation_id: str, column: str, *instead: str
) -> str:
    def find() -> str:
        with portal.database.transaction() as session:
            return service.download_key(session, caller, distillation_id, column, *instead)

    return await run_in_threadpool(find)

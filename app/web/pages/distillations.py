"""Pages of distillations: list, progress, result."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.core.dependencies import Cursor, PortalDep, ReadSession, WriteSession
from app.core.portal import Portal
from app.core.security import Caller
from app.datasets.repository import DatasetNotFound, DatasetRepository
from app.distillations import service
from app.distillations.presets import presets_document
from app.distillations.purge import purge_distillation
from app.distillations.repository import DistillationRepository
from app.forecasts.repository import ForecastNotFound, ForecastRepository
from app.forecasts.schemas import EstimateRead
from app.models.distillation import Distillation
from app.models.event import EventKind
from app.scheduling.waits import wait_of
from app.web.dependencies import Deleter, Distiller, Reader
from app.web.forms import Sent, confirmed
from app.web.phases import phases_of, silent_since
from app.web.render import go_to, page
from app.web.report_summary import outcome_of

LOG_LINES = 200
LISTED_DATASETS = 200

router = APIRouter()


@router.get("/distillations")
def show_distillations(
    request: Request,
    session: ReadSession,
    caller: Reader,
    dataset: Annotated[str | None, Query(pattern=r"^[a-z0-9_]{0,40}$")] = None,
    cursor: Cursor = None,
) -> Response:
    """The organisation's distillations, newest first, optionally of one dataset."""
    distillations = DistillationRepository(session)
    rows = distillations.readable_by(caller).page(
        dataset_id=dataset or None, cursor=cursor, limit=25
    )
    return page(
        request,
        "distillations/list.html",
        page=rows,
        names=distillations.dataset_names(rows.items),
        presets=presets_document(),
        datasets=distillations.readable_by(caller).datasets(limit=LISTED_DATASETS),
        dataset_id=dataset or "",
    )


@router.get("/distillations/{distillation_id}")
def show_distillation(
    request: Request, distillation_id: str, session: ReadSession, portal: PortalDep, caller: Reader
) -> Response:
    row = DistillationRepository(session).readable_by(caller).get(distillation_id)
    events = DistillationRepository(session).events
    return page(
        request,
        "distillations/one.html",
        log=events.last(distillation_id, EventKind.LOG, limit=LOG_LINES),
        **_state(session, portal, caller, row),
    )


@router.get("/distillations/{distillation_id}/state")
def show_state(
    request: Request, distillation_id: str, session: ReadSession, portal: PortalDep, caller: Reader
) -> Response:
    """Fragment with the status, fetched when it has changed."""
    row = DistillationRepository(session).readable_by(caller).get(distillation_id)
    return page(request, "distillations/state.html", **_state(session, portal, caller, row))


@router.get("/distillations/{distillation_id}/progress")
def show_progress(
    request: Request, distillation_id: str, session: ReadSession, caller: Reader
) -> Response:
    """Fragment with the progress, fetched while it runs."""
    row = DistillationRepository(session).readable_by(caller).get(distillation_id)
    return page(request, "distillations/progress.html", row=row, **_progress(session, caller, row))


@router.post("/distillations/{distillation_id}/cancel")
def cancel_distillation(
    request: Request, distillation_id: str, session: WriteSession, caller: Distiller
) -> Response:
    service.cancel(session, caller, distillation_id)
    return go_to(request, f"/distillations/{distillation_id}", note="note-distillation-cancelled")


@router.post("/distillations/{distillation_id}/retry")
def retry_distillation(
    request: Request, distillation_id: str, session: WriteSession, caller: Distiller
) -> Response:
    service.retry(session, caller, distillation_id)
    return go_to(request, f"/distillations/{distillation_id}", note="note-distillation-retried")


@router.post("/distillations/{distillation_id}/again")
def distill_again(
    request: Request, distillation_id: str, session: WriteSession, caller: Distiller
) -> Response:
    made = service.start_again(session, caller, distillation_id)
    return go_to(request, f"/distillations/{made.id}", note="note-distillation-started")


@router.post("/distillations/{distillation_id}/delete")
def delete_distillation(
    request: Request,
    distillation_id: str,
    portal: PortalDep,
    caller: Deleter,
    confirm: Sent[str] = "",
) -> Response:
    with portal.reserve.opened():
        with portal.database.transaction() as session:
            distillations = DistillationRepository(session)
            row = distillations.readable_by(caller).get(distillation_id)
            confirmed(confirm, distillations.dataset_names([row])[row.dataset_id])
            service.delete(session, caller, distillation_id)
        # A portal that dies here has hidden it already; the sweeper finishes the removal.
        purge_distillation(portal.database, portal.storage, distillation_id)
    return go_to(request, "/distillations", note="note-distillation-deleted")


def _state(session: Session, portal: Portal, caller: Caller, row: Distillation) -> dict[str, Any]:
    """Template context for the status of a distillation."""
    try:
        dataset = DatasetRepository(session).readable_by(caller).get(row.dataset_id)
    except DatasetNotFound:
        dataset = None
    names = DistillationRepository(session).dataset_names([row])
    return {
        "row": row,
        "dataset_name": names[row.dataset_id],
        "dataset_exists": dataset is not None,
        "is_sample": dataset is not None and dataset.is_sample,
        "preset": presets_document().get(row.preset, {}),
        "outcome": outcome_of(session, portal.storage, row),
        **_progress(session, caller, row),
    }


def _progress(session: Session, caller: Caller, row: Distillation) -> dict[str, Any]:
    forecast = _forecast_before(session, caller, row)
    return {
        "phases": phases_of(row, {} if forecast is None else forecast.phases),
        "silent_since": silent_since(row),
        "wait": None if row.status.is_final else wait_of(session, row),
        "forecast": forecast,
    }


def _forecast_before(session: Session, caller: Caller, row: Distillation) -> EstimateRead | None:
    if row.forecast_id is None:
        return None
    try:
        forecast = ForecastRepository(session).readable_by(caller).get(row.forecast_id)
    except ForecastNotFound:
        return None
    return EstimateRead.model_validate(forecast.estimate) if forecast.estimate else None

"""Pages to start a distillation: the main settings in plain words, the others folded away."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from app.core.clock import utc_now
from app.core.dependencies import PortalDep, ReadSession, WriteSession
from app.core.errors import Problem
from app.datasets.repository import DatasetRepository
from app.distillations import service
from app.distillations.presets import get_preset, presets_document
from app.forecasts import service as forecasts
from app.forecasts.repository import ForecastRepository
from app.forecasts.schemas import ForecastRead
from app.models.forecast import WAITING
from app.web.dependencies import Distiller, Reader
from app.web.render import go_to, is_fragment, page
from app.web.settings_form import body_of, fields_of, starts_of
from iadd.presets import AUDITS

USUAL = "cpu_small"
"""The preset that is preselected."""
FOR_SAMPLE = "cpu_demo"
"""The preselected preset for synthetic images, for a quick first run."""

PATIENCE = timedelta(seconds=60)
"""A worker that is free answers sooner."""

router = APIRouter()


async def get_form(request: Request) -> FormData:
    return await request.form()


SentForm = Annotated[FormData, Depends(get_form)]


@router.get("/datasets/{dataset_id}/distill")
def show_new_distillation(
    request: Request,
    dataset_id: str,
    session: ReadSession,
    caller: Reader,
    preset: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Readers see the settings; only distillers see the button."""
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    chosen = get_preset(preset or (FOR_SAMPLE if dataset.is_sample else USUAL))
    training = [splits.get("train", 0) for splits in (dataset.classes or {}).values()]
    return page(
        request,
        "distill/new.html",
        dataset=dataset,
        presets=presets_document(),
        chosen=chosen,
        groups=fields_of(chosen),
        starts=starts_of(chosen),
        audits=AUDITS,
        smallest=min(training, default=0),
    )


@router.post("/datasets/{dataset_id}/distill")
def start_distillation(
    request: Request, dataset_id: str, form: SentForm, session: WriteSession, caller: Distiller
) -> Response:
    preset = get_preset(str(form.get("preset") or ""))
    address = f"/datasets/{dataset_id}/distill"
    if form.get("show") or form.get("shown") != preset.name:
        # Without scripts the fields below are still those of the preset that was shown. Its button
        # sends no GET, which would leave the form's token in the address.
        return go_to(request, f"{address}?preset={preset.name}", note="note-preset-shown")
    made = service.start(session, caller, dataset_id, body_of(preset, form))
    return go_to(request, f"/distillations/{made.id}", note="note-distillation-started")


@router.post("/datasets/{dataset_id}/distill/forecast")
def create_forecast(
    request: Request, dataset_id: str, form: SentForm, portal: PortalDep, caller: Distiller
) -> Response:
    """Forecast for the distillation in the form; scripts request it after each change."""
    preset = get_preset(str(form.get("preset") or ""))
    address = f"/datasets/{dataset_id}/distill/forecast"
    if form.get("shown") != preset.name:
        # The fields of another preset are on their way into the form.
        if is_fragment(request):
            return page(request, "distill/forecast_later.html", address=address)
        back = f"/datasets/{dataset_id}/distill?preset={preset.name}"
        return go_to(request, back, note="note-preset-shown")
    try:
        with portal.database.transaction() as session:
            forecast = forecasts.ask(session, caller, dataset_id, body_of(preset, form))
            answer = forecasts.read(session, forecast)
    except Problem as problem:
        if not is_fragment(request) or problem.status in (401, 404):
            raise
        # Shown in the place of the forecast: the form itself was not sent.
        return page(request, "parts/problem.html", problem=problem.as_dict(), code=problem.code)
    if not is_fragment(request):
        return go_to(request, f"{address}/{answer.id}")
    return _forecast(request, answer)


@router.get("/datasets/{dataset_id}/distill/forecast/{forecast_id}")
def show_forecast(
    request: Request,
    dataset_id: str,
    forecast_id: str,
    session: ReadSession,
    caller: Reader,
    was: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Fragment with the forecast or its place in the queue; 204 while nothing has changed."""
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    row = ForecastRepository(session).readable_by(caller).get(forecast_id)
    answer = forecasts.read(session, row)
    if is_fragment(request):
        return Response(status_code=204) if was == _word(answer) else _forecast(request, answer)
    return page(request, "distill/forecast_page.html", dataset=dataset, **_forecast_context(answer))


def _forecast(request: Request, answer: ForecastRead) -> Response:
    return page(request, "distill/forecast.html", **_forecast_context(answer))


def _forecast_context(answer: ForecastRead) -> dict[str, Any]:
    return {
        "forecast": answer,
        "word": _word(answer),
        "waits_long": _waits_long(answer),
        "address": f"/datasets/{answer.dataset_id}/distill/forecast/{answer.id}",
    }


def _word(answer: ForecastRead) -> str:
    """Short key of the forecast shown; another forecast gets another key."""
    waiting = answer.waiting
    counts = f"-{waiting.ahead}-{waiting.computing}" if waiting else ""
    return f"{answer.status.value}{counts}{'-long' if _waits_long(answer) else ''}"


def _waits_long(answer: ForecastRead) -> bool:
    waits = answer.status in WAITING
    return waits and utc_now() - answer.created_at > PATIENCE

"""Asking for a distillation: the choices that matter in plain words, the others folded away."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from app.core.dependencies import ReadSession, WriteSession
from app.datasets.repository import DatasetRepository
from app.distillations import service
from app.distillations.presets import get_preset, presets_document
from app.web.render import go_to, page
from app.web.settings_form import body_of, fields_of
from app.web.visitors import Distiller, Reader

USUAL = "cpu_small"
"""The preset that is chosen at first, where nothing else is asked for."""
FOR_SAMPLE = "cpu_demo"
"""The same for drawn images, with which somebody wants to see the whole way once."""

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
    """Whoever may read sees what there is to choose; only a distiller sees the button."""
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
        smallest=min(training, default=0),
    )


@router.post("/datasets/{dataset_id}/distill")
def start_distillation(
    request: Request, dataset_id: str, form: SentForm, session: WriteSession, caller: Distiller
) -> Response:
    preset = get_preset(str(form.get("preset") or ""))
    address = f"/datasets/{dataset_id}/distill"
    if form.get("shown") != preset.name:
        # Without scripts the fields below are still those of the preset that was shown.
        return go_to(request, f"{address}?preset={preset.name}", note="note-preset-shown")
    made = service.start(session, caller, dataset_id, body_of(preset, form))
    return go_to(request, f"/distillations/{made.id}", note="note-distillation-started")

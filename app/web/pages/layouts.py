"""Page that asks how an archive is to be read: which folders and columns mean what."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from app.core.dependencies import PortalDep, ReadSession
from app.core.errors import Problem, problem_dict
from app.core.types import JsonObject
from app.datasets import layout as service
from app.datasets.layout import (
    LayoutOfAnotherArchive,
    MappingInvalid,
    NoLayout,
    NotAwaitingMapping,
)
from app.datasets.repository import ACCEPTS_UPLOAD, DatasetRepository
from app.models.dataset import Dataset
from app.web.dependencies import Uploader
from app.web.errors import IN_FORM
from app.web.mapping_form import (
    ROLES,
    SEVERAL,
    SPARE_WORDS,
    SPLIT_NAMES,
    UNCERTAIN,
    FormProblem,
    MappingForm,
    check_details,
    form_of,
    mapping_of,
)
from app.web.render import go_to, is_fragment, language_of, page
from app.web.texts import texts_in
from iadd.intake.layout.mapping import COLUMN_ROLES
from iadd.intake.layout.mapping import Mapping as LayoutMapping

router = APIRouter()


async def get_form(request: Request) -> FormData:
    return await request.form()


SentForm = Annotated[FormData, Depends(get_form)]


@router.get("/datasets/{dataset_id}/layout")
def show_layout(
    request: Request,
    session: ReadSession,
    caller: Uploader,
    dataset_id: str,
    reading: Annotated[int, Query(ge=0, le=100)] = 0,
) -> Response:
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    try:
        found = service.read(session, caller, dataset_id)
    except NoLayout:
        # Nothing was listed yet: the dataset's page says what it waits for.
        return RedirectResponse(f"/datasets/{dataset.id}", 303)
    if found.layout is None or not service.may_be_mapped(dataset):
        return page(
            request,
            "datasets/layout_used.html",
            dataset=dataset,
            mapping=_whole(found.mapping),
            confirmed_by=found.confirmed_by,
        )
    readings = found.layout["readings"]
    chosen = min(reading, max(0, len(readings) - 1))
    filled = _filled(found.layout, chosen)
    is_open = "reading" in request.query_params
    return _ask(request, dataset, found.layout, chosen, filled, details_open=is_open)


@router.post("/datasets/{dataset_id}/layout")
def confirm_layout(
    request: Request, portal: PortalDep, caller: Uploader, dataset_id: str, form: SentForm
) -> Response:
    with portal.database.reading() as session:
        dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    layout: JsonObject = dataset.layout or {"levels": [], "tables": [], "readings": []}
    chosen = _chosen(form, layout)
    mapping: JsonObject | None = None
    try:
        if form.get("details"):
            mapping = mapping_of(form, layout)
            check_details(mapping)
        else:
            mapping = _proposed(form, layout, chosen)
        with portal.database.transaction() as session:
            service.confirm(
                session,
                caller,
                dataset_id,
                mapping,
                archive_sha256=str(form.get("archive", "")),
            )
    except (FormProblem, MappingInvalid, NotAwaitingMapping, LayoutOfAnotherArchive) as error:
        problem = _problem(request, error)
        if is_fragment(request):
            return page(
                request,
                "parts/problem.html",
                status_code=problem["status"],
                headers=IN_FORM,
                problem=problem,
                code="",
            )
        if not service.may_be_mapped(dataset) or not layout["readings"]:
            return page(
                request,
                "datasets/layout_used.html",
                status_code=problem["status"],
                dataset=dataset,
                mapping=_whole(dataset.mapping),
                confirmed_by=dataset.mapping_confirmed_by,
                problem=problem,
            )
        details = bool(form.get("details"))
        filled = _filled(layout, chosen, mapping if details else None)
        return _ask(request, dataset, layout, chosen, filled, details_open=details, problem=problem)
    return go_to(request, f"/datasets/{dataset_id}", note="note-layout-confirmed")


def _whole(mapping: JsonObject | None) -> JsonObject | None:
    """With every key, whatever version wrote it."""
    return None if mapping is None else LayoutMapping.from_dict(mapping).to_dict()


def _chosen(form: FormData, layout: Mapping[str, Any]) -> int:
    typed = str(form.get("reading", ""))
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 4 else 0
    return min(number, max(0, len(layout["readings"]) - 1))


def _proposed(form: FormData, layout: Mapping[str, Any], chosen: int) -> JsonObject:
    """The mapping of the chosen reading, with the encoding that was chosen beside it."""
    if "reading" not in form:
        raise FormProblem("layout-problem-none-chosen")
    if not layout["readings"]:
        return {}
    encoding = str(form.get("encoding", ""))
    mapping: JsonObject = json.loads(json.dumps(layout["readings"][chosen]["mapping"]))
    return mapping | ({"encoding": encoding} if encoding else {})


def _filled(
    layout: Mapping[str, Any], chosen: int, mapping: JsonObject | None = None
) -> MappingForm:
    return form_of(layout, layout["readings"][chosen], mapping)


def _ask(
    request: Request,
    dataset: Dataset,
    layout: Mapping[str, Any],
    chosen: int,
    filled: MappingForm,
    *,
    details_open: bool,
    problem: dict[str, Any] | None = None,
) -> Response:
    return page(
        request,
        "datasets/layout.html",
        status_code=200 if problem is None else problem["status"],
        dataset=dataset,
        layout=layout,
        chosen=chosen,
        filled=filled,
        problem=problem,
        details_open=details_open,
        roles=ROLES,
        column_roles=COLUMN_ROLES,
        split_names=SPLIT_NAMES,
        uncertain=UNCERTAIN,
        several=SEVERAL,
        spare_words=SPARE_WORDS,
        takes_archive=dataset.status in ACCEPTS_UPLOAD,
    )


def _problem(request: Request, error: FormProblem | Problem) -> dict[str, Any]:
    """The problem in the words of pages: the service's are for those who send JSON."""
    t = texts_in(language_of(request))
    if isinstance(error, FormProblem):
        return problem_dict(
            code=MappingInvalid.code,
            title=t("layout-problem"),
            status=MappingInvalid.status,
            detail=t(error.text, **error.values) + " " + t("layout-problem-kept"),
        )
    told: dict[type[Problem], tuple[str, str]] = {
        LayoutOfAnotherArchive: ("layout-problem-replaced", "layout-problem-replaced-about"),
        NotAwaitingMapping: ("layout-problem-over", "layout-problem-over-about"),
    }
    if type(error) in told:
        title, detail = told[type(error)]
        return problem_dict(code=error.code, title=t(title), status=error.status, detail=t(detail))
    return error.as_dict()

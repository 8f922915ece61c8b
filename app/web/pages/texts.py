"""Page of pictures with burned-in text: each is shown to whoever decides about it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from app.core.dependencies import PortalDep, ReadSession, WriteSession
from app.core.errors import Invalid
from app.datasets import texts as service
from app.datasets.repository import DatasetRepository
from app.datasets.schemas import TextDecisionsCreate
from app.models.dataset import Dataset, DatasetStatus
from app.web.dependencies import Uploader
from app.web.forms import checked
from app.web.render import go_to, page

router = APIRouter()

ROWS = 24
CHOICES = ("keep", "blank", "leave_out")
PREFIX = "text."
STAY = "stay"
"""Of a picture that was decided about before: no change, whatever is chosen for all."""


async def get_form(request: Request) -> FormData:
    return await request.form()


@router.get("/datasets/{dataset_id}/texts")
def show_texts(
    request: Request,
    portal: PortalDep,
    session: ReadSession,
    caller: Uploader,
    dataset_id: str,
    number: Annotated[int, Query(alias="page", ge=1, le=1_000_000)] = 1,
) -> Response:
    """Those that nobody decided about come first."""
    datasets = DatasetRepository(session)
    dataset = datasets.readable_by(caller).get(dataset_id)
    found = service.read(session, portal.storage, caller, dataset_id)
    items = sorted(found.items, key=lambda one: one.decision is not None)
    pages = max(1, -(-len(items) // ROWS))
    number = min(number, pages)
    return page(
        request,
        "datasets/texts.html",
        dataset=dataset,
        scan=found,
        items=items[(number - 1) * ROWS : number * ROWS],
        number=number,
        pages=pages,
        undecided=sum(one.decision is None for one in items),
        choices=CHOICES
        if can_change(dataset, bool(datasets.distillations(dataset_id)))
        else ("keep",),
        is_ready=dataset.status == DatasetStatus.READY,
    )


@router.post("/datasets/{dataset_id}/texts/search")
def search_again(
    request: Request, portal: PortalDep, session: WriteSession, caller: Uploader, dataset_id: str
) -> Response:
    """After a search that failed: it goes on where it stopped."""
    service.search_again(session, portal.storage, caller, dataset_id)
    return go_to(request, f"/datasets/{dataset_id}", note="note-texts-searched-again")


def can_change(dataset: Dataset, is_distilled: bool) -> bool:
    """True while its images may change: what was distilled describes them as they are."""
    return (
        dataset.status == DatasetStatus.READY and dataset.read_key is not None and not is_distilled
    )


@router.post("/datasets/{dataset_id}/texts")
def decide_texts(
    request: Request,
    portal: PortalDep,
    session: WriteSession,
    caller: Uploader,
    dataset_id: str,
    form: Annotated[FormData, Depends(get_form)],
) -> Response:
    """What was chosen for single pictures; the others get what was chosen for all, if anything."""
    for_all = str(form.get("all", ""))
    choices = {
        name.removeprefix(PREFIX): str(value) or for_all
        for name, value in form.items()
        if name.startswith(PREFIX) and value != STAY and (value or for_all)
    }
    DatasetRepository(session).readable_by(caller).get(dataset_id)
    if not choices:
        raise Invalid("Choose what becomes of at least one picture. Nothing was changed.")
    body = checked(TextDecisionsCreate, decisions=choices)
    dataset = service.decide(session, portal.storage, caller, dataset_id, body.decisions)
    if dataset.status == DatasetStatus.CHECKING:
        return go_to(request, f"/datasets/{dataset_id}", note="note-finding-decided")
    return go_to(request, f"/datasets/{dataset_id}/texts", note="note-texts-decided")

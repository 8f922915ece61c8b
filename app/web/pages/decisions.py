"""What a steward decides about the findings of a quality report, and the pictures of those."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from app.core.dependencies import PortalDep, WriteSession
from app.core.errors import Invalid
from app.datasets import decisions, service
from app.datasets.schemas import DecisionCreate
from app.models.dataset import DatasetStatus
from app.web.dependencies import Reader, Uploader
from app.web.forms import checked
from app.web.render import go_to

router = APIRouter()


async def get_form(request: Request) -> FormData:
    return await request.form()


@router.post("/datasets/{dataset_id}/findings/{code}")
def decide_finding(
    request: Request,
    portal: PortalDep,
    session: WriteSession,
    caller: Uploader,
    dataset_id: str,
    code: str,
    form: Annotated[FormData, Depends(get_form)],
) -> Response:
    action = str(form.get("action", ""))
    body = checked(DecisionCreate, action=action, merge=_merge(form) if action == "merge" else {})
    dataset = decisions.decide(session, portal.storage, caller, dataset_id, code, body)
    runs = dataset.status == DatasetStatus.CHECKING
    note = "note-finding-decided" if runs else "note-finding-accepted"
    return go_to(request, f"/datasets/{dataset_id}", note=note)


@router.post("/datasets/{dataset_id}/decisions/reset")
def reset_decisions(
    request: Request, session: WriteSession, caller: Uploader, dataset_id: str
) -> Response:
    decisions.reset(session, caller, dataset_id)
    return go_to(request, f"/datasets/{dataset_id}", note="note-finding-decided")


def _merge(form: FormData) -> dict[str, str]:
    """The classes that were ticked, and the one that they become part of."""
    into = str(form.get("into", ""))
    ticked = [str(name) for name in form.getlist("class")]
    merge = {name: into for name in ticked if name != into}
    if not into or not merge:
        raise Invalid(
            "Choose the classes that are to be merged, and the class that they become part of. "
            "Nothing was changed."
        )
    return merge


@router.get("/datasets/{dataset_id}/findings/{code}/picture")
def show_finding_picture(portal: PortalDep, caller: Reader, dataset_id: str, code: str) -> Response:
    content = service.see_finding_picture(portal.database, portal.storage, caller, dataset_id, code)
    return Response(content, media_type="image/png")

"""Page of the files that a check left out, by reason and name.

Search words go in the body: names of files may identify a patient, and addresses are kept
by browsers and logs.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.core.dependencies import PortalDep, ReadSession
from app.core.portal import Portal
from app.core.security import Caller
from app.core.stored import ObjectDamaged
from app.datasets.findings import FoundFiles, group
from app.datasets.quality import QualityNotReady, see_refused_files, see_report
from app.datasets.repository import DatasetRepository
from app.web.dependencies import Reader
from app.web.forms import Sent
from app.web.render import is_fragment, page

router = APIRouter()

CODE = r"^[a-z_]{0,40}$"


def quality_of(portal: Portal, caller: Caller, dataset_id: str) -> dict[str, Any] | None:
    """The quality report, if there is one to be read; that it was looked at is written down.

    Raises DatasetNotFound.
    """
    try:
        return see_report(portal.database, portal.storage, caller, dataset_id)
    except (QualityNotReady, ObjectDamaged):
        return None


class SearchForm(BaseModel):
    code: str = ""
    text: str = ""
    page: int = 1


@router.get("/datasets/{dataset_id}/findings")
def show_findings(
    request: Request,
    portal: PortalDep,
    session: ReadSession,
    caller: Reader,
    dataset_id: str,
    code: Annotated[str, Query(pattern=CODE)] = "",
) -> Response:
    return _found(request, portal, session, caller, dataset_id, SearchForm(code=code))


@router.post("/datasets/{dataset_id}/findings")
def search_findings(
    request: Request,
    portal: PortalDep,
    session: ReadSession,
    caller: Reader,
    dataset_id: str,
    form: Sent[SearchForm],
) -> Response:
    return _found(request, portal, session, caller, dataset_id, form)


def _found(
    request: Request,
    portal: Portal,
    session: Session,
    caller: Caller,
    dataset_id: str,
    form: SearchForm,
) -> Response:
    quality = quality_of(portal, caller, dataset_id) or {}
    found = FoundFiles(files=[], total=0, page=1, pages=1)
    if quality:
        found = see_refused_files(
            portal.database,
            portal.storage,
            caller,
            dataset_id,
            code=form.code,
            text=form.text,
            page=form.page,
        )
    return page(
        request,
        "datasets/found.html" if is_fragment(request) else "datasets/findings.html",
        dataset=DatasetRepository(session).readable_by(caller).get(dataset_id),
        findings=group(quality),
        found=found,
        looked_for=form,
    )

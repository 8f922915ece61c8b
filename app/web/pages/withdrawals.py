"""Pages of withdrawals of patients or a whole dataset."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.core.dependencies import Cursor, PortalDep, ReadSession
from app.datasets.purge import purge_dataset
from app.datasets.repository import DatasetNotFound, DatasetRepository
from app.web.dependencies import Deleter, Reader
from app.web.forms import Sent, checked, confirmed
from app.web.render import go_to, page
from app.withdrawals import service
from app.withdrawals.lineage import trace
from app.withdrawals.repository import WithdrawalRepository
from app.withdrawals.schemas import WithdrawalCreate

router = APIRouter()

ROWS = 50


class WithdrawalForm(BaseModel):
    what: str = ""
    files: str = ""
    reason: str = ""
    keep_releases: bool = False
    confirm: str = ""


@router.get("/datasets/{dataset_id}/withdraw")
def show_new_withdrawal(
    request: Request, session: ReadSession, caller: Deleter, dataset_id: str
) -> Response:
    """The form, with all that came from the dataset."""
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    return page(request, "withdrawals/new.html", dataset=dataset, lineage=trace(session, dataset))


@router.post("/datasets/{dataset_id}/withdraw")
def withdraw(
    request: Request,
    portal: PortalDep,
    caller: Deleter,
    dataset_id: str,
    form: Sent[WithdrawalForm],
) -> Response:
    whole = form.what == "whole"
    named = [line.strip() for line in form.files.splitlines() if line.strip()]
    body = checked(
        WithdrawalCreate,
        files=None if whole else named,
        whole_dataset=whole,
        reason=form.reason,
        keep_releases=form.keep_releases,
    )
    with portal.reserve.opened():
        with portal.database.transaction() as session:
            dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
            confirmed(form.confirm, dataset.name)
            withdrawal = service.withdraw(session, portal.storage, caller, dataset_id, body)
        if whole:
            # A portal that dies here has hidden it already; the sweeper finishes the removal.
            purge_dataset(portal.database, portal.storage, dataset_id)
    return go_to(request, f"/withdrawals/{withdrawal.id}")


@router.get("/withdrawals")
def show_withdrawals(
    request: Request, session: ReadSession, caller: Reader, cursor: Cursor = None
) -> Response:
    withdrawals = WithdrawalRepository(session).readable_by(caller).page(cursor=cursor, limit=ROWS)
    return page(request, "withdrawals/list.html", withdrawals=withdrawals)


@router.get("/withdrawals/{withdrawal_id}")
def show_withdrawal(
    request: Request, session: ReadSession, caller: Reader, withdrawal_id: str
) -> Response:
    withdrawal = WithdrawalRepository(session).readable_by(caller).get(withdrawal_id)
    try:
        dataset = DatasetRepository(session).readable_by(caller).get(withdrawal.dataset_id)
    except DatasetNotFound:
        dataset = None  # withdrawn as a whole, or deleted since
    return page(
        request,
        "withdrawals/one.html",
        withdrawal=withdrawal,
        dataset=dataset,
        again=service.again(session, withdrawal),
    )

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from app.auth.dependencies import Deleter, Reader
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession
from app.core.schemas import PageRead, problems
from app.datasets.purge import purge_dataset
from app.datasets.repository import DatasetRepository
from app.idempotency import RepeatableDep
from app.models.withdrawal import Withdrawal
from app.withdrawals import service
from app.withdrawals.lineage import trace
from app.withdrawals.repository import WithdrawalRepository
from app.withdrawals.schemas import LineageRead, WithdrawalCreate, WithdrawalRead

router = APIRouter(tags=["withdrawals"], responses=problems(401, 403, 422))


@router.get("/datasets/{dataset_id}/lineage", responses=problems(404))
def get_lineage(dataset_id: str, session: ReadSession, caller: Reader) -> LineageRead:
    """Every trajectory, distillation, release and recipient that came from a dataset."""
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    return LineageRead.model_validate(trace(session, dataset))


@router.post(
    "/datasets/{dataset_id}/withdrawals", status_code=202, responses=problems(400, 404, 409, 413)
)
def create_withdrawal(
    dataset_id: str,
    body: WithdrawalCreate,
    portal: PortalDep,
    caller: Deleter,
    repeatable: RepeatableDep,
    response: Response,
) -> WithdrawalRead:
    """Withdraw patients' images or a whole dataset, and notify recipients."""
    with portal.reserve.opened():
        with portal.database.transaction() as session:
            read = repeatable.once(
                session,
                caller,
                WithdrawalRead,
                lambda: _read(
                    session, service.withdraw(session, portal.storage, caller, dataset_id, body)
                ),
            )
        if body.whole_dataset:
            # A portal that dies here has hidden it already; the sweeper finishes the removal.
            purge_dataset(portal.database, portal.storage, dataset_id)
    response.headers["Location"] = f"/api/v1/withdrawals/{read.id}"
    return read


@router.get("/withdrawals")
def list_withdrawals(
    session: ReadSession, caller: Reader, cursor: Cursor = None, limit: Limit = 50
) -> PageRead[WithdrawalRead]:
    """The withdrawals of the caller's organisation, newest first."""
    page = WithdrawalRepository(session).readable_by(caller).page(cursor=cursor, limit=limit)
    return PageRead[WithdrawalRead].of(page, items=[_read(session, row) for row in page.items])


@router.get("/withdrawals/{withdrawal_id}", responses=problems(404))
def get_withdrawal(withdrawal_id: str, session: ReadSession, caller: Reader) -> WithdrawalRead:
    """A withdrawal, its lineage and its state."""
    return _read(session, WithdrawalRepository(session).readable_by(caller).get(withdrawal_id))


def _read(session: Session, row: Withdrawal) -> WithdrawalRead:
    return WithdrawalRead.of(row, again=service.again(session, row))

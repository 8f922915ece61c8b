from typing import Annotated

from fastapi import APIRouter, Query

from app.auth.dependencies import Reader
from app.core.dependencies import ReadSession
from app.core.schemas import problems
from app.ledgers import service
from app.ledgers.schemas import LedgerRead

router = APIRouter(prefix="/datasets", tags=["datasets"], responses=problems(401, 403, 422))


@router.get("/{dataset_id}/ledger", responses=problems(404))
def get_ledger(
    dataset_id: str,
    session: ReadSession,
    caller: Reader,
    delta: Annotated[
        float, Query(ge=1e-12, le=0.01, description="δ at which ε is computed.")
    ] = service.USUAL_DELTA,
) -> LedgerRead:
    """Every read of the dataset's images under differential privacy, and the ε spent by all."""
    return service.read(session, caller, dataset_id, delta=delta)

from fastapi import APIRouter

from app.auth.dependencies import Distiller, Once, Reader
from app.core.dependencies import Cursor, Limit, ReadSession, WriteSession
from app.core.schemas import PageRead, problems
from app.trainings import service
from app.trainings.repository import TrainingRepository
from app.trainings.schemas import TrainingConfirm, TrainingCreate, TrainingRead

router = APIRouter(prefix="/trainings", tags=["trainings"], responses=problems(401, 403, 422))


@router.post("", status_code=202, responses=problems(400, 404, 409, 413))
def create_training(
    body: TrainingCreate, session: WriteSession, caller: Distiller, once: Once
) -> TrainingRead:
    """Train networks on releases, with and without own images, and compare them on own ones."""
    return once(
        TrainingRead, lambda: service.start(session, caller, body), folder="/api/v1/trainings"
    )


@router.get("")
def list_trainings(
    session: ReadSession, caller: Reader, cursor: Cursor = None, limit: Limit = 50
) -> PageRead[TrainingRead]:
    """The trainings of the caller's organisation, newest first."""
    page = TrainingRepository(session).readable_by(caller).page(cursor=cursor, limit=limit)
    return PageRead[TrainingRead].of(page)


@router.get("/{training_id}", responses=problems(404))
def get_training(training_id: str, session: ReadSession, caller: Reader) -> TrainingRead:
    return TrainingRead.of(TrainingRepository(session).readable_by(caller).get(training_id))


@router.post("/{training_id}/confirm", status_code=202, responses=problems(400, 404, 409, 413))
def confirm_training(
    training_id: str, body: TrainingConfirm, session: WriteSession, caller: Distiller, once: Once
) -> TrainingRead:
    """Confirm or change the class maps; then it trains."""
    return once(TrainingRead, lambda: service.confirm(session, caller, training_id, body))


@router.post("/{training_id}/cancel", status_code=202, responses=problems(404, 409))
def cancel_training(
    training_id: str, session: WriteSession, caller: Distiller, once: Once
) -> TrainingRead:
    """Stop at the next step."""
    return once(TrainingRead, lambda: service.cancel(session, caller, training_id))

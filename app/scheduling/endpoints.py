from fastapi import APIRouter

from app.auth.dependencies import Reader
from app.core.dependencies import ReadSession
from app.core.schemas import problems
from app.datasets.repository import DatasetRepository
from app.distillations.repository import DistillationRepository
from app.scheduling.schemas import WaitRead
from app.scheduling.waits import wait_of
from app.trainings.repository import TrainingRepository

router = APIRouter(tags=["waits"], responses=problems(401, 403, 404, 422))


@router.get("/datasets/{dataset_id}/wait")
def get_dataset_wait(dataset_id: str, session: ReadSession, caller: Reader) -> WaitRead:
    """What the check of its archive waits for."""
    row = DatasetRepository(session).readable_by(caller).get(dataset_id)
    return WaitRead(waiting=wait_of(session, row))


@router.get("/distillations/{distillation_id}/wait")
def get_distillation_wait(distillation_id: str, session: ReadSession, caller: Reader) -> WaitRead:
    """What its next step waits for."""
    row = DistillationRepository(session).readable_by(caller).get(distillation_id)
    return WaitRead(waiting=wait_of(session, row))


@router.get("/trainings/{training_id}/wait")
def get_training_wait(training_id: str, session: ReadSession, caller: Reader) -> WaitRead:
    """What it waits for."""
    row = TrainingRepository(session).readable_by(caller).get(training_id)
    return WaitRead(waiting=wait_of(session, row))

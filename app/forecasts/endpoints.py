from fastapi import APIRouter, Response

from app.auth.dependencies import Distiller, Reader
from app.core.dependencies import ReadSession, WriteSession
from app.core.schemas import problems
from app.distillations.schemas import DistillationCreate
from app.forecasts import service
from app.forecasts.repository import ForecastRepository
from app.forecasts.schemas import ForecastRead
from app.idempotency import RepeatableDep
from app.models.forecast import WAITING

router = APIRouter(tags=["forecasts"], responses=problems(401, 403, 422))


@router.post(
    "/datasets/{dataset_id}/forecasts",
    status_code=202,
    responses={
        200: {"model": ForecastRead, "description": "Told at once, from what was measured before"},
        **problems(400, 404, 409, 413),
    },
)
def create_forecast(
    dataset_id: str,
    body: DistillationCreate,
    session: WriteSession,
    caller: Distiller,
    repeatable: RepeatableDep,
    response: Response,
) -> ForecastRead:
    """Forecast the time and memory of this distillation. It starts nothing.

    Steps of a kind that no worker has measured yet are measured by one first: 202, and the
    estimate is at the address in `Location` in a moment.
    """
    forecast = repeatable.once(
        session,
        caller,
        ForecastRead,
        lambda: service.read(session, service.ask(session, caller, dataset_id, body)),
    )
    if forecast.status not in WAITING:
        response.status_code = 200
    response.headers["Location"] = f"/api/v1/forecasts/{forecast.id}"
    return forecast


@router.get("/forecasts/{forecast_id}", responses=problems(404))
def get_forecast(forecast_id: str, session: ReadSession, caller: Reader) -> ForecastRead:
    """The estimate or what it waits for; later also the time that the distillation took."""
    return service.read(session, ForecastRepository(session).readable_by(caller).get(forecast_id))

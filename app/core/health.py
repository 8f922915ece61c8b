"""/healthz, /readyz and /metrics, without a token: they reveal nobody's data."""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from app.core.dependencies import PortalDep
from app.core.metrics import Metrics
from app.core.portal import Portal
from app.core.queue import Queue
from app.core.readiness import Readiness

router = APIRouter(tags=["operation"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "Something it needs cannot be reached"}})
async def readyz(request: Request, portal: PortalDep) -> JSONResponse:
    """Database, broker and object storage can be reached, and there is room to store."""
    readiness: Readiness = request.app.state.readiness
    database, broker, storage, disc = await asyncio.gather(
        readiness.works("database", lambda: _check_database(portal)),
        readiness.works("broker", lambda: portal.queue.waiting(Queue.CPU)),
        readiness.works("storage", lambda: portal.storage.exists("readyz")),
        readiness.works("disc", lambda: _check_room(portal)),
    )
    body = {
        "status": "ok" if database and broker and storage and disc else "unavailable",
        "checks": {
            "database": _word(database),
            "broker": _word(broker),
            "storage": _word(storage),
            "disc": "ok" if disc else "full",
        },
    }
    return JSONResponse(body, status_code=200 if body["status"] == "ok" else 503)


def _word(works: bool) -> str:
    return "ok" if works else "unreachable"


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """Counters and gauges for Prometheus."""
    collected: Metrics = request.app.state.metrics
    return Response(collected.render(), media_type=CONTENT_TYPE_LATEST)


def _check_database(portal: Portal) -> None:
    # A table of ours, so that a database that was never migrated is not "ready".
    with portal.database.reading() as session:
        session.execute(text("SELECT 1 FROM organisation LIMIT 1"))


def _check_room(portal: Portal) -> None:
    if not portal.reserve.is_whole:
        raise OSError("less than EXCHANGE_RESERVE_BYTES is free; uploads are refused")

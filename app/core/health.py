"""/healthz, /readyz and /metrics, without a token: they reveal nobody's data."""

import asyncio
from collections.abc import Callable

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
    """Database, broker and object storage can be reached, and there is room to store.

    A hub has no broker.
    """
    readiness: Readiness = request.app.state.readiness
    checks: dict[str, Callable[[], object]] = {
        "database": lambda: _check_database(portal),
        "broker": lambda: portal.queue.waiting(Queue.CPU),
        "storage": lambda: portal.storage.exists("readyz"),
        "disc": lambda: _check_room(portal),
    }
    if portal.settings.is_hub:
        del checks["broker"]
    works = await asyncio.gather(*(readiness.works(name, check) for name, check in checks.items()))
    body = {
        "status": "ok" if all(works) else "unavailable",
        "checks": {
            name: "ok" if is_fine else "full" if name == "disc" else "unreachable"
            for name, is_fine in zip(checks, works, strict=True)
        },
    }
    return JSONResponse(body, status_code=200 if all(works) else 503)


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

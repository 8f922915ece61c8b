"""/healthz, /readyz and /metrics, without a token: they reveal nobody's data."""

import logging
from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from app.core.dependencies import PortalDep
from app.core.metrics import Metrics
from app.core.portal import Portal
from app.core.queue import Queue

logger = logging.getLogger(__name__)

router = APIRouter(tags=["operation"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "Something it needs cannot be reached"}})
def readyz(portal: PortalDep) -> JSONResponse:
    """Database, broker and object storage can be reached, and there is room to store."""
    checks = {
        "database": _works(lambda: _check_database(portal)),
        "broker": _works(lambda: portal.queue.waiting(Queue.CPU)),
        "storage": _works(lambda: portal.storage.exists("readyz")),
    }
    has_room = _works(lambda: _check_room(portal))
    ready = has_room and all(checks.values())
    body = {
        "status": "ok" if ready else "unavailable",
        "checks": {
            **{name: "ok" if works else "unreachable" for name, works in checks.items()},
            "disc": "ok" if has_room else "full",
        },
    }
    return JSONResponse(body, status_code=200 if ready else 503)


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


def _works(check: Callable[[], object]) -> bool:
    try:
        check()
    except Exception as error:  # noqa: BLE001 (whatever the driver raises, the answer is "no")
        logger.warning("not ready: %s", error)
        return False
    return True

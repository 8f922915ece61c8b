"""The portal: `create_app(settings)`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.api import router as api_router
from app.background.tasks import background_tasks
from app.backups.schedule import scheduled_backups
from app.core import problem_handlers
from app.core.health import router as health_router
from app.core.metrics import Metrics
from app.core.middleware import (
    BodyLimit,
    HeadOfPages,
    RequestIds,
    RequestLimit,
    RequestMetrics,
    SafeHeaders,
    TrailingSlash,
)
from app.core.portal import Portal
from app.core.readiness import Readiness
from app.core.schemas import ProblemRead
from app.core.settings import Settings, get_settings
from app.core.tracing import configure_tracing, end_tracing
from app.core.turns import TakeTurns
from app.core.version import VERSION
from app.datasets.uploads.protocol import TusHeaders
from app.distillations.feeds import Feeds
from app.federation.publications.cleanup import forgotten_publications
from app.federation.shares.courier import courier
from app.operations.metrics import ServiceState
from app.operations.traces import TracedRequests
from app.web import router as web
from app.web.errors import problem_page

DESCRIPTION = """\
A hospital uploads chest X-rays and gets a few distilled images per class, with a report of their
utility and privacy. For research use; not a medical device.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI application. What it opens it closes at its end."""
    portal = Portal.open(settings or get_settings())
    metrics = Metrics(ServiceState(portal))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        configure_tracing(portal.settings, "portal")
        tasks = (*scheduled_backups(portal), *courier(portal), *forgotten_publications(portal))
        with background_tasks(portal, *tasks):
            yield
        end_tracing()
        portal.close()

    app = FastAPI(
        title="IADD Exchange",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        # The interactive pages load their scripts from a CDN, which hospitals' networks lack.
        docs_url=None,
        redoc_url=None,
        # The framework's redirect names the host that the request names: see TrailingSlash.
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.portal = portal
    app.state.metrics = metrics
    app.state.readiness = Readiness()
    app.state.feeds = Feeds(portal.database, portal.settings.event_poll_seconds)
    app.include_router(health_router)
    app.include_router(api_router)
    web.install(app)
    problem_handlers.install(app, problem_page)
    # Added last is outermost.
    app.add_middleware(problem_handlers.UnexpectedErrors)
    app.add_middleware(TakeTurns)
    app.add_middleware(
        BodyLimit,
        limit=portal.settings.max_json_bytes,
        seconds=portal.settings.request_seconds,
    )
    app.add_middleware(TusHeaders)
    app.add_middleware(HeadOfPages)
    app.add_middleware(TrailingSlash)
    app.add_middleware(RequestLimit, portal=portal)
    app.add_middleware(RequestMetrics, metrics=metrics)
    app.add_middleware(SafeHeaders, is_https=portal.settings.is_https)
    app.add_middleware(TracedRequests, portal=portal)
    app.add_middleware(RequestIds)
    _document_problems(app)
    return app


def _operation_id(route: APIRoute) -> str:
    """The function's name: stable, and what generated clients call their methods."""
    return route.name


def _document_problems(app: FastAPI) -> None:
    """Add the schema that `problems()` refers to."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        document["components"]["schemas"]["Problem"] = ProblemRead.model_json_schema()
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it

"""Spans of requests that start a job: they are in the trace of the dataset that it works on."""

import logging
from collections.abc import Sequence
from datetime import datetime

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.clock import utc_now
from app.core.log_context import logged_ids
from app.core.portal import Portal
from app.core.tracing import Span, attributes_of, is_tracing, jobs_started, record_span
from app.operations.origin import origin_of
from app.scheduling.duties import DUTIES

logger = logging.getLogger(__name__)

_MODELS = {duty.task.value: duty.model for duty in DUTIES}


class TracedRequests:
    """Records a span of each request that starts a job, where traces are sent at all."""

    def __init__(self, app: ASGIApp, portal: Portal) -> None:
        self._app = app
        self._portal = portal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_tracing():
            return await self._app(scope, receive, send)
        started_at, status = utc_now(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with jobs_started() as jobs:
            await self._app(scope, receive, watched)
        if jobs:
            name = getattr(scope.get("endpoint"), "__name__", "request")
            try:
                await to_thread.run_sync(
                    self._record, name, started_at, scope["method"], status, jobs
                )
            except SQLAlchemyError as error:
                # The request is answered; only what would be known of it is lost.
                logger.warning("no span was recorded: %s", type(error).__name__)

    def _record(
        self,
        name: str,
        started_at: datetime,
        method: str,
        status: int,
        jobs: Sequence[tuple[str, str]],
    ) -> None:
        ended_at, logged = utc_now(), logged_ids()
        with self._portal.database.reading() as session:
            for task, row_id in jobs:
                row = session.get(_MODELS[task], row_id)
                if row is None:
                    continue
                origin = origin_of(session, row)
                record_span(
                    Span(
                        name=name,
                        trace=origin.dataset_id,
                        parent=origin.span,
                        started_at=started_at,
                        ended_at=ended_at,
                        attributes={
                            "http.request.method": method,
                            "http.response.status_code": status,
                            **attributes_of(
                                request_id=logged.get("request_id"),
                                job_id=row_id,
                                dataset_id=origin.dataset_id,
                                organisation_id=origin.organisation_id,
                            ),
                        },
                    )
                )

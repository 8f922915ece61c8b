"""What is seen of a job while it runs and afterwards: ids in each line of the log, and its span."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app.core.clock import utc_now
from app.core.db import Database
from app.core.log_context import log_context
from app.core.queue import Task
from app.core.tracing import Span, attributes_of, is_tracing, record_span, trace_id_of
from app.models import Distillation
from app.operations.origin import Origin, origin_of

logger = logging.getLogger(__name__)


@contextmanager
def observed_job(database: Database, model: type[Any], task: Task, row_id: str) -> Iterator[None]:
    """Log the block with the ids of the job, and record its span if it took the row.

    What is seen of a job never ends it: without a database it goes on unseen.
    """
    with log_context(job_id=row_id, task=task.value):
        found = _look(database, model, row_id)
        if found is None:
            yield
            return
        before, origin = found
        started_at = utc_now()
        with log_context(
            organisation_id=origin.organisation_id, trace_id=trace_id_of(origin.dataset_id)
        ):
            yield
            if not is_tracing():
                return
            after = _look(database, model, row_id)
            # The fencing token moves with each claim.
            if after is not None and after[0].fence != before.fence:
                _record(task, after[0], origin, started_at)
                # Moved by this claim and its end alone: no other worker had the row meanwhile.
                if after[0].fence == before.fence + 2:
                    _record_distillation(database, origin, started_at)


def _look(database: Database, model: type[Any], row_id: str) -> tuple[Any, Origin] | None:
    try:
        with database.reading() as session:
            row = session.get(model, row_id)
            return None if row is None else (row, origin_of(session, row))
    except SQLAlchemyError as error:
        logger.warning("not seen: %s", type(error).__name__)
        return None


def _record(task: Task, row: Any, origin: Origin, started_at: datetime) -> None:
    record_span(
        Span(
            name=task.value,
            trace=origin.dataset_id,
            parent=origin.span,
            started_at=started_at,
            ended_at=utc_now(),
            failed=_failure(row),
            attributes=attributes_of(
                job_id=row.id,
                dataset_id=origin.dataset_id,
                organisation_id=origin.organisation_id,
                status=row.status.value,
            ),
        )
    )


def _record_distillation(database: Database, origin: Origin, started_at: datetime) -> None:
    """Record the span around all steps of a distillation, if the job has ended it."""
    if origin.distillation_id is None:
        return
    found = _look(database, Distillation, origin.distillation_id)
    if found is None:
        return
    row = found[0]
    if row.finished_at is None or row.finished_at < started_at:
        return
    record_span(
        Span(
            name="distillation",
            trace=origin.dataset_id,
            known_as=origin.span,
            started_at=row.created_at,
            ended_at=row.finished_at,
            failed=_failure(row),
            attributes=attributes_of(
                job_id=row.id,
                dataset_id=origin.dataset_id,
                organisation_id=origin.organisation_id,
                preset=row.preset,
                attempt=origin.attempt,
                status=row.status.value,
            ),
        )
    )


def _failure(row: Any) -> str | None:
    """The problem's code: its text is for its owner."""
    if row.problem is None or row.status.value not in ("failed", "rejected"):
        return None
    return str(row.problem.get("type", "")).rpartition(":")[2] or "failed"

"""Queries for distillations: the portal reads as a caller, a task by id.

A change of status and its event are one write: whoever follows the events sees
every step that the row made.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from app.core import leases
from app.core.clock import utc_now
from app.core.errors import NotFound
from app.core.pagination import Page, paginate
from app.core.repository import Readable
from app.core.security import Caller
from app.core.types import JsonObject
from app.distillations.audit_twins import AuditTwinRepository
from app.distillations.events import EventRepository
from app.models.dataset import Dataset
from app.models.distillation import (
    ACTIVE,
    PRIVATE_KEYS,
    RESULT_KEYS,
    Distillation,
    DistillationStatus,
)
from app.models.event import EventKind
from app.models.forecast import Forecast, ForecastStatus
from app.models.webhook import WebhookEvent
from app.notifications.webhook_events import emit


class DistillationNotFound(NotFound):
    code = "distillation-not-found"
    title = "No such distillation"


class ReadableDistillations(Readable[Distillation]):
    """The distillations that one caller may know of."""

    model = Distillation
    not_found = DistillationNotFound
    advice = (
        "Your organisation has no distillation with this id. It may have been deleted; "
        "GET /api/v1/distillations lists those that exist."
    )

    def page(
        self, *, dataset_id: str | None = None, cursor: str | None, limit: int
    ) -> Page[Distillation]:
        query = self._query
        if dataset_id is not None:
            query = query.where(Distillation.dataset_id == dataset_id)
        return paginate(self._session, query, Distillation, cursor=cursor, limit=limit)

    def newest_forecast(self, dataset_id: str, settings_hash: str) -> str | None:
        """Id of the last forecast that is ready for these settings on this dataset."""
        return self._session.scalar(
            select(Forecast.id)
            .where(
                Forecast.organisation_id == self._caller.organisation_id,
                Forecast.dataset_id == dataset_id,
                Forecast.settings_hash == settings_hash,
                Forecast.status == ForecastStatus.READY,
            )
            .order_by(Forecast.created_at.desc())
            .limit(1)
        )

    def newest_problem(self, dataset_id: str, settings_hash: str) -> JsonObject | None:
        """The problem of the last forecast that has ended for these settings, if it found one."""
        newest = self._session.scalar(
            select(Forecast)
            .where(
                Forecast.organisation_id == self._caller.organisation_id,
                Forecast.dataset_id == dataset_id,
                Forecast.settings_hash == settings_hash,
                Forecast.status.in_((ForecastStatus.READY, ForecastStatus.FAILED)),
            )
            .order_by(Forecast.created_at.desc())
            .limit(1)
        )
        return None if newest is None else newest.problem

    def datasets(self, *, limit: int) -> dict[str, str]:
        """Id and name of the newest datasets that some of them were made from."""
        rows = self._session.execute(
            select(Dataset.id, Dataset.name)
            .where(
                Dataset.organisation_id == self._caller.organisation_id,
                # By the dataset alone: the organisation's index would be read once for each.
                exists().where(
                    Distillation.dataset_id == Dataset.id, Distillation.deleted_at.is_(None)
                ),
            )
            .order_by(Dataset.created_at.desc())
            .limit(limit)
        )
        return {row.id: row.name for row in rows}


class DistillationRepository:
    def __init__(self, session: Session) -> None:
        self._session = session
        self.events = EventRepository(session)

    def readable_by(self, caller: Caller) -> ReadableDistillations:
        return ReadableDistillations(self._session, caller)

    def load(self, distillation_id: str) -> Distillation | None:
        """By id alone, for tasks: the caller who enqueued it was allowed to."""
        return self._session.get(Distillation, distillation_id, populate_existing=True)

    def add(self, distillation: Distillation) -> Distillation:
        self._session.add(distillation)
        self._session.flush()
        self._emit_status(distillation.id, distillation.status)
        return distillation

    def dataset_names(self, rows: Sequence[Distillation]) -> dict[str, str]:
        """The names of what these were made from, deleted ones too."""
        found = self._session.execute(
            select(Dataset.id, Dataset.name).where(Dataset.id.in_({row.dataset_id for row in rows}))
        )
        return {row.id: row.name for row in found}

    def taught_by(self, trajectory_set_id: str) -> Sequence[Distillation]:
        """The distillations that wait for these teachers: `teaching`, no cancel asked for."""
        return self._session.scalars(
            select(Distillation)
            .where(
                Distillation.trajectory_set_id == trajectory_set_id,
                Distillation.status == DistillationStatus.TEACHING,
                Distillation.cancel_requested_at.is_(None),
            )
            .order_by(Distillation.created_at)
        ).all()

    def claim(
        self,
        distillation_id: str,
        *,
        statuses: Collection[DistillationStatus],
        owner: str,
        seconds: float,
    ) -> int | None:
        """Take the row if it is in one of `statuses` and free; its fence, or None."""
        return leases.claim(
            self._session,
            Distillation,
            distillation_id,
            statuses=statuses,
            owner=owner,
            seconds=seconds,
        )

    def write(self, distillation_id: str, *, fence: int, **values: Any) -> None:
        """Change the row under the lease, status apart. Raises LeaseLost."""
        leases.write(self._session, Distillation, distillation_id, fence=fence, **values)

    def advance(
        self, distillation_id: str, *, fence: int, to: DistillationStatus, **values: Any
    ) -> None:
        """End of a phase: the next status, the lease given back, the event. Raises LeaseLost."""
        leases.release(
            self._session,
            Distillation,
            distillation_id,
            fence=fence,
            **_on_entering(to),
            **values,
        )
        self._emit_status(distillation_id, to, values.get("problem"))

    def give_back(self, distillation_id: str, *, fence: int, **values: Any) -> None:
        """End of a step that leaves the status: the lease given back. Raises LeaseLost."""
        leases.release(self._session, Distillation, distillation_id, fence=fence, **values)

    def move(
        self,
        distillation_id: str,
        *,
        expected: Collection[DistillationStatus],
        to: DistillationStatus,
        **values: Any,
    ) -> bool:
        """Change the status of a row that no worker holds; False when it is elsewhere or held.

        The fence moves too, so that nobody who held the row before can still write.
        """
        statement = (
            update(Distillation)
            .where(
                Distillation.id == distillation_id,
                Distillation.status.in_(list(expected)),
                Distillation.deleted_at.is_(None),
                leases.is_free(Distillation, leases.now_of(self._session)),
            )
            .values(
                lease_owner=None,
                lease_expires_at=None,
                fence=Distillation.fence + 1,
                **_on_entering(to),
                **values,
            )
            .returning(Distillation.id)
            .execution_options(synchronize_session="fetch")
        )
        moved = self._session.execute(statement).scalar_one_or_none() is not None
        if moved:
            self._emit_status(distillation_id, to, values.get("problem"))
        return moved

    def log(
        self, distillation_id: str, phase: DistillationStatus, message: str, **more: Any
    ) -> None:
        """Append a line to the log that people follow."""
        data = {"phase": phase.value, "message": message, **more}
        self.events.append(distillation_id, EventKind.LOG, data)

    def request_cancel(self, distillation_id: str) -> bool:
        """Note in the row that it shall be cancelled; its worker stops at the next step."""
        statement = (
            update(Distillation)
            .where(
                Distillation.id == distillation_id,
                Distillation.status.in_(ACTIVE),
                Distillation.cancel_requested_at.is_(None),
            )
            .values(cancel_requested_at=utc_now())
            .returning(Distillation.id)
            .execution_options(synchronize_session="fetch")
        )
        return self._session.execute(statement).scalar_one_or_none() is not None

    def cancel_requested(self, distillation_id: str) -> bool:
        query = select(Distillation.cancel_requested_at).where(Distillation.id == distillation_id)
        return self._session.scalar(query) is not None

    def count_audits(self, dataset_ids: Collection[str]) -> int:
        """Audits that reached a verdict, of all distillations of these, deleted ones too."""
        query = select(func.count()).where(
            Distillation.dataset_id.in_(dataset_ids), Distillation.verdict.is_not(None)
        )
        return self._session.scalar(query) or 0

    def to_purge(self) -> Sequence[str]:
        return self._session.scalars(
            select(Distillation.id).where(
                Distillation.deleted_at.is_not(None), Distillation.purged_at.is_(None)
            )
        ).all()

    def mark_deleted(self, distillation: Distillation) -> None:
        distillation.deleted_at = utc_now()
        distillation.private_seed = None
        distillation.fence += 1
        self._session.flush()

    def mark_purged(self, distillation_id: str) -> None:
        AuditTwinRepository(self._session).forget([distillation_id])
        self._session.execute(
            update(Distillation)
            .where(Distillation.id == distillation_id)
            .values(purged_at=utc_now(), **dict.fromkeys(PRIVATE_KEYS + RESULT_KEYS))
        )

    def _emit_status(
        self, distillation_id: str, status: DistillationStatus, problem: JsonObject | None = None
    ) -> None:
        data: JsonObject = {"status": status.value}
        if problem is not None:
            data["problem"] = problem
        self.events.append(distillation_id, EventKind.STATUS, data)
        if status in WEBHOOK_EVENTS:
            row = self._session.execute(
                select(Distillation.organisation_id, Distillation.dataset_id).where(
                    Distillation.id == distillation_id
                )
            ).one()
            ids = {"distillation": distillation_id, "dataset": row.dataset_id}
            emit(self._session, row.organisation_id, WEBHOOK_EVENTS[status], ids)


WEBHOOK_EVENTS = {
    DistillationStatus.READY: WebhookEvent.DISTILLATION_READY,
    DistillationStatus.FAILED: WebhookEvent.DISTILLATION_FAILED,
}


def _on_entering(status: DistillationStatus) -> JsonObject:
    values: JsonObject = {"status": status}
    if status == DistillationStatus.READY:
        # Nothing is drawn any more, and nobody shall be able to repeat it.
        values["private_seed"] = None
    if status.is_final:
        values |= {"finished_at": utc_now(), "eta_seconds": None}
    return values

"""Queries for trainings: the portal reads as a caller, a task by id."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update

from app.core import leases
from app.core.clock import utc_now
from app.core.errors import NotFound
from app.core.repository import Readable, Repository
from app.core.security import Caller
from app.models.training import Training, TrainingStatus
from app.models.webhook import WebhookEvent
from app.notifications.webhook_events import emit

WEBHOOK_EVENTS = {
    TrainingStatus.READY: WebhookEvent.TRAINING_READY,
    TrainingStatus.FAILED: WebhookEvent.TRAINING_FAILED,
}


class TrainingNotFound(NotFound):
    code = "training-not-found"
    title = "No such training"


class ReadableTrainings(Readable[Training]):
    """The trainings of the caller's organisation."""

    model = Training
    not_found = TrainingNotFound
    advice = "Your organisation has no training with this id; GET /api/v1/trainings lists them."


class TrainingRepository(Repository[Training]):
    def readable_by(self, caller: Caller) -> ReadableTrainings:
        return ReadableTrainings(self._session, caller)

    def load(self, training_id: str) -> Training | None:
        """By id alone, for tasks: the caller who enqueued it was allowed to."""
        return self._session.get(Training, training_id, populate_existing=True)

    def claim(
        self,
        training_id: str,
        *,
        statuses: Collection[TrainingStatus],
        owner: str,
        seconds: float,
    ) -> int | None:
        """Take the row if it is in one of `statuses` and free; its fence, or None."""
        return leases.claim(
            self._session, Training, training_id, statuses=statuses, owner=owner, seconds=seconds
        )

    def end(self, training_id: str, *, fence: int, status: TrainingStatus, **values: Any) -> None:
        """Store a worker's result and release the lease. Raises LeaseLost."""
        if status in (TrainingStatus.READY, TrainingStatus.FAILED, TrainingStatus.CANCELLED):
            values = {"finished_at": utc_now(), "eta_seconds": None, **values}
        leases.release(self._session, Training, training_id, fence=fence, status=status, **values)
        if status in WEBHOOK_EVENTS:
            row = self._session.execute(
                select(Training.organisation_id, Training.dataset_id).where(
                    Training.id == training_id
                )
            ).one()
            ids = {"training": training_id, "dataset": row.dataset_id}
            emit(self._session, row.organisation_id, WEBHOOK_EVENTS[status], ids)

    def cancel_idle(self, training_id: str, statuses: Collection[TrainingStatus]) -> bool:
        """Cancel a row that no worker holds; False where one does, or it is elsewhere."""
        statement = (
            update(Training)
            .where(
                Training.id == training_id,
                Training.status.in_(list(statuses)),
                leases.is_free(Training, leases.now_of(self._session)),
            )
            .values(
                status=TrainingStatus.CANCELLED,
                finished_at=utc_now(),
                lease_owner=None,
                lease_expires_at=None,
                fence=Training.fence + 1,
            )
            .returning(Training.id)
            .execution_options(synchronize_session="fetch")
        )
        return self._session.execute(statement).scalar_one_or_none() is not None

    def is_wanted(self, training_id: str) -> bool:
        asked = self._session.scalar(
            select(Training.cancel_requested_at).where(Training.id == training_id)
        )
        return asked is None

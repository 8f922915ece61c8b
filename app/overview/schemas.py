from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from app.core.schemas import ReplyModel
from app.models.access import RequestStatus
from app.models.dataset import DatasetStatus
from app.models.distillation import Verdict
from app.models.withdrawal import WithdrawalStatus

T = TypeVar("T")


class First(NamedTuple, Generic[T]):
    """The first few, and whether there are more."""

    items: list[T]
    more: bool


class RequestWaiting(ReplyModel):
    id: str
    release_id: str
    title: str
    """Title of the release."""
    organisation: str
    """The other organisation of the request."""
    status: RequestStatus
    updated_at: datetime


class DatasetWaiting(ReplyModel):
    id: str
    name: str
    status: DatasetStatus
    updated_at: datetime


class DistillationEnded(ReplyModel):
    id: str
    dataset: str
    verdict: Verdict | None
    problem: str | None
    finished_at: datetime | None


class TrainingWaiting(ReplyModel):
    id: str
    dataset: str
    updated_at: datetime


class WithdrawalWaiting(ReplyModel):
    id: str
    dataset: str
    status: WithdrawalStatus
    created_at: datetime


class Job(ReplyModel):
    """A job that waits or runs."""

    kind: str
    """`dataset`, `distillation` or `training`."""
    id: str
    name: str
    """Name of the dataset."""
    status: str
    done: int | None
    total: int | None
    eta_seconds: float | None


class Overview(ReplyModel):
    """Pending items by kind. None: the caller may not act on them."""

    decisions: First[RequestWaiting] | None
    answers: First[RequestWaiting] | None
    uploads: First[DatasetWaiting] | None
    confirmations: First[TrainingWaiting] | None
    reports: First[DistillationEnded] | None
    failures: First[DistillationEnded] | None
    withdrawals: First[WithdrawalWaiting] | None
    jobs: First[Job] | None
    has_datasets: bool | None

    @property
    def waits(self) -> bool:
        lists = (
            self.decisions,
            self.answers,
            self.uploads,
            self.confirmations,
            self.reports,
            self.failures,
            self.withdrawals,
        )
        return any(found is not None and found.items for found in lists)

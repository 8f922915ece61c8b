"""Guide to a first distillation on the sample cohort: the steps done and the next one."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from app.core.errors import Conflict
from app.core.security import Caller
from app.datasets.repository import DatasetRepository
from app.distillations.repository import DistillationRepository
from app.distillations.schemas import DistillationCreate
from app.distillations.service import start
from app.models.dataset import Dataset, DatasetStatus
from app.models.distillation import Distillation, DistillationStatus

PRESET = "cpu_demo"
"""Minutes on two cores."""


class Step(StrEnum):
    DRAW = "draw"
    CHECK = "check"
    START = "start"
    WATCH = "watch"
    READ = "read"
    SHARE = "share"


class NoSample(Conflict):
    code = "no-sample"
    title = "There is no sample cohort yet"


@dataclass(frozen=True)
class Guide:
    dataset: Dataset | None
    distillation: Distillation | None
    """The one that came farthest: a finished one, or the newest."""

    @property
    def step(self) -> Step:
        """The next step. Reading the report cannot be observed, so sharing follows it."""
        if self.dataset is None:
            return Step.DRAW
        if self.dataset.status != DatasetStatus.READY:
            return Step.CHECK
        if self.distillation is None or self.distillation.status in (
            DistillationStatus.FAILED,
            DistillationStatus.CANCELLED,
        ):
            return Step.START
        if self.distillation.status != DistillationStatus.READY:
            return Step.WATCH
        return Step.READ

    @property
    def runs(self) -> bool:
        """A worker is at it, so that there is something to wait for."""
        return self.step in (Step.CHECK, Step.WATCH)


def guide(session: Session, caller: Caller) -> Guide:
    dataset = DatasetRepository(session).readable_by(caller).sample()
    if dataset is None:
        return Guide(None, None)
    distillations = DistillationRepository(session).readable_by(caller)
    newest = distillations.page(dataset_id=dataset.id, cursor=None, limit=20).items
    ready = [row for row in newest if row.status == DistillationStatus.READY]
    return Guide(dataset, next(iter((*ready, *newest)), None))


def start_first(session: Session, caller: Caller) -> Distillation:
    """The first distillation of the sample cohort; the one that is there, where there is one.

    Raises NoSample, and what starting any distillation raises.
    """
    found = guide(session, caller)
    if found.dataset is None:
        raise NoSample("Draw the sample cohort first. Nothing was started.")
    # Locked, so that of two that start at once the second sees what the first has made.
    DatasetRepository(session).readable_by(caller).get(found.dataset.id, lock=True)
    found = guide(session, caller)
    if found.distillation is not None and found.step in (Step.WATCH, Step.READ):
        return found.distillation
    assert found.dataset is not None, "it is locked"
    return start(session, caller, found.dataset.id, DistillationCreate(preset=PRESET))

"""Counts jobs that failed by the code of their problem, and asks nothing else of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.errors import TYPE_PREFIX
from app.models.dataset import Dataset, DatasetStatus
from app.models.distillation import Distillation, DistillationStatus
from app.models.forecast import Forecast, ForecastStatus
from app.models.text_scan import TextScan, TextScanStatus
from app.models.training import Training, TrainingStatus
from app.models.withdrawal import Withdrawal, WithdrawalStatus

UNNAMED = "unnamed"
"""A problem without a code."""

_FAILED: tuple[tuple[type[Any], Any, Any], ...] = (
    # An archive that was refused: most often the archive's fault, and its code says so.
    (Dataset, DatasetStatus.REJECTED, Dataset.updated_at),
    (TextScan, TextScanStatus.FAILED, TextScan.updated_at),
    (Forecast, ForecastStatus.FAILED, Forecast.updated_at),
    (Distillation, DistillationStatus.FAILED, Distillation.finished_at),
    (Training, TrainingStatus.FAILED, Training.finished_at),
    (Withdrawal, WithdrawalStatus.FAILED, Withdrawal.finished_at),
)
"""Table, status, and the time at which a row got it."""


@dataclass(frozen=True)
class Failures:
    """So many jobs of a kind that failed for one reason."""

    kind: str
    problem: str
    count: int


def failures_since(session: Session, since: datetime) -> Iterator[Failures]:
    """Count what failed since then and is still so: what was retried is not counted."""
    for model, status, when in _FAILED:
        code = model.problem["type"].as_string()
        query = (
            select(code, func.count())
            .where(model.status == status, when >= since)
            .group_by(code)
            .order_by(func.count().desc(), code)
        )
        for found, count in session.execute(query):
            problem = (found or "").removeprefix(TYPE_PREFIX) or UNNAMED
            yield Failures(model.__tablename__, problem, count)

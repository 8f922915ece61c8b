"""Queries of forecasts and measurements: the portal's for a caller, a task's by id."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from app.core import leases
from app.core.clock import utc_now
from app.core.errors import NotFound
from app.core.security import Caller
from app.core.types import JsonObject
from app.models.distillation import Distillation, DistillationStatus, Randomness
from app.models.forecast import WAITING, Forecast, ForecastStatus, Measurement
from app.models.teacher import Teacher, TeacherStatus
from app.models.training import Training, TrainingStatus
from app.models.trajectory_set import TrajectorySet, TrajectorySetStatus
from iadd.config import Config
from iadd.forecast.arithmetic import DeviceBenchmark

MEASUREMENT_LASTS = timedelta(days=30)
DISTURBED_LASTS = timedelta(minutes=30)
"""Life of a measurement on a machine that had other work: it may have less by then."""
LATEST_OUTCOMES = 30


class ForecastNotFound(NotFound):
    code = "forecast-not-found"
    title = "No such forecast"


class ReadableForecasts:
    """The forecasts of the caller's organisation."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._query = select(Forecast).where(Forecast.organisation_id == caller.organisation_id)

    def get(self, forecast_id: str) -> Forecast:
        """Raises ForecastNotFound."""
        found = self._session.scalar(self._query.where(Forecast.id == forecast_id))
        if found is None:
            raise ForecastNotFound(
                "Your organisation has no forecast with this id. One that no distillation followed "
                "is kept for a day; POST /api/v1/datasets/{id}/forecasts makes another."
            )
        return found

    def waiting(self) -> Sequence[Forecast]:
        return self._session.scalars(self._query.where(Forecast.status.in_(WAITING))).all()

    def followed(self) -> Sequence[tuple[Forecast, Distillation]]:
        """Forecasts with the finished distillations that were started after them, latest first.

        A distillation that was retried is left out: it did some of its work twice.
        """
        rows = self._session.execute(
            self._query.join(Distillation, Distillation.forecast_id == Forecast.id)
            .add_columns(Distillation)
            .where(Distillation.status == DistillationStatus.READY, Distillation.attempt == 1)
            .order_by(Distillation.finished_at.desc())
            .limit(LATEST_OUTCOMES)
        )
        return [(row[0], row[1]) for row in rows]


class ForecastRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def readable_by(self, caller: Caller) -> ReadableForecasts:
        return ReadableForecasts(self._session, caller)

    def add(self, forecast: Forecast) -> Forecast:
        self._session.add(forecast)
        self._session.flush()
        return forecast

    def claim(self, forecast_id: str, *, owner: str, seconds: float) -> int | None:
        """Claim a row that waits and is free; return its fencing token, or None."""
        return leases.claim(
            self._session, Forecast, forecast_id, statuses=WAITING, owner=owner, seconds=seconds
        )

    def end(self, forecast_id: str, *, fence: int, status: ForecastStatus, **values: Any) -> None:
        """Store a worker's answer and release the lease. Raises LeaseLost."""
        leases.release(self._session, Forecast, forecast_id, fence=fence, status=status, **values)

    def distillation_of(self, forecast_id: str) -> Distillation | None:
        """Find the last distillation that was started after a forecast."""
        return self._session.scalars(
            select(Distillation)
            .where(Distillation.forecast_id == forecast_id, Distillation.deleted_at.is_(None))
            .order_by(Distillation.created_at.desc())
            .limit(1)
        ).first()

    def ahead_of(self, forecast: Forecast) -> int:
        """Count the forecasts that have waited longer than this one."""
        query = select(func.count()).where(
            Forecast.status.in_(WAITING), Forecast.created_at < forecast.created_at
        )
        return self._session.scalar(query) or 0

    def computing(self) -> int:
        """Count the rows that workers train networks for at this moment."""
        now = utc_now()
        counts = (
            select(func.count()).where(
                Teacher.status == TeacherStatus.RUNNING, leases.is_held(Teacher, now)
            ),
            select(func.count()).where(
                Distillation.status.in_(
                    (DistillationStatus.DISTILLING, DistillationStatus.EVALUATING)
                ),
                leases.is_held(Distillation, now),
            ),
            select(func.count()).where(
                Training.status == TrainingStatus.RUNNING, leases.is_held(Training, now)
            ),
        )
        return sum(self._session.scalar(query) or 0 for query in counts)

    def forget_unused(self, dataset_id: str) -> None:
        """Delete the forecasts older than a day that no distillation followed."""
        followed = exists().where(Distillation.forecast_id == Forecast.id)
        self._session.execute(
            delete(Forecast).where(
                Forecast.dataset_id == dataset_id,
                Forecast.status.not_in(WAITING),
                Forecast.created_at < utc_now() - timedelta(days=1),
                ~followed,
            )
        )

    def has_teachers(self, dataset_id: str, config: Config) -> bool:
        """True if the teachers of these settings are recorded already."""
        sets = self._session.scalars(
            select(TrajectorySet).where(
                TrajectorySet.dataset_id == dataset_id,
                TrajectorySet.status == TrajectorySetStatus.READY,
                # Those of an earlier version serve only what goes on from then.
                TrajectorySet.randomness == Randomness.SECRET,
                TrajectorySet.teachers == config.teacher.teachers,
            )
        )
        key = config.teacher_key()
        return any(Config.from_dict(row.config).teacher_key() == key for row in sets)


class MeasurementRepository:
    """Measurements describe machines and nobody's data: every organisation may use them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def newest(self, pace_key: str, images: int) -> tuple[DeviceBenchmark, Measurement] | None:
        """Find the last measurement of such steps that is recent and covers sets of this size."""
        now = utc_now()
        rows = self._session.scalars(
            select(Measurement)
            .where(
                Measurement.pace_key == pace_key,
                Measurement.created_at > now - MEASUREMENT_LASTS,
                Measurement.covers_images >= images,
            )
            .order_by(Measurement.created_at.desc())
            .limit(10)
        )
        for row in rows:
            benchmark = DeviceBenchmark.from_dict(row.paces)
            if not benchmark.was_disturbed or row.created_at > now - DISTURBED_LASTS:
                return benchmark, row
        return None

    def add(self, pace_key: str, document: JsonObject) -> tuple[DeviceBenchmark, Measurement]:
        """Store a measurement in place of older ones of the same device."""
        benchmark = DeviceBenchmark.from_dict(document)
        self._session.execute(
            delete(Measurement).where(
                Measurement.pace_key == pace_key, Measurement.device == benchmark.device[:200]
            )
        )
        row = Measurement(
            pace_key=pace_key,
            device=benchmark.device[:200],
            covers_images=benchmark.covers_images,
            paces=document,
        )
        self._session.add(row)
        self._session.flush()
        return benchmark, row

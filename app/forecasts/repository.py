"""Every query about forecasts and measurements. The portal asks as somebody; a task knows an id."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from app.core import leases
from app.core.clock import utc_now
from app.core.errors import NotFound
from app.core.security import Caller
from app.core.types import JsonObject
from app.models.distillation import Distillation, DistillationStatus
from app.models.forecast import WAITING, Forecast, ForecastStatus, Measurement
from app.models.teacher import Teacher, TeacherStatus
from app.models.training import Training, TrainingStatus
from app.models.trajectory_set import TrajectorySet, TrajectorySetStatus
from iadd.forecast.arithmetic import DeviceBenchmark

MEASUREMENT_LASTS = timedelta(days=30)
DISTURBED_LASTS = timedelta(minutes=30)
"""A measurement on a machine that had other work; then it may have less, and is measured again."""
LATEST_OUTCOMES = 30
TAUGHT_BY = ("network", "augmentation", "teacher")
"""Sections of a run's settings that shape its teachers."""


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
        """With the distillations that were started after them and have finished, latest first.

        One that was tried again has done work twice, and tells nothing.
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
        """Take a row that waits and is free; its fence, or None."""
        return leases.claim(
            self._session, Forecast, forecast_id, statuses=WAITING, owner=owner, seconds=seconds
        )

    def end(self, forecast_id: str, *, fence: int, status: ForecastStatus, **values: Any) -> None:
        """What a worker leaves, with the lease given back. Raises LeaseLost."""
        leases.release(self._session, Forecast, forecast_id, fence=fence, status=status, **values)

    def distillation_of(self, forecast_id: str) -> Distillation | None:
        """The last one that was started after a forecast."""
        return self._session.scalars(
            select(Distillation)
            .where(Distillation.forecast_id == forecast_id, Distillation.deleted_at.is_(None))
            .order_by(Distillation.created_at.desc())
            .limit(1)
        ).first()

    def ahead_of(self, forecast: Forecast) -> int:
        """Forecasts that wait for a worker longer than this one."""
        query = select(func.count()).where(
            Forecast.status.in_(WAITING), Forecast.created_at < forecast.created_at
        )
        return self._session.scalar(query) or 0

    def computing(self) -> int:
        """Rows that workers compute networks for at this moment."""
        now = utc_now()
        counts = (
            select(func.count()).where(
                Teacher.status == TeacherStatus.RUNNING, Teacher.lease_expires_at > now
            ),
            select(func.count()).where(
                Distillation.status.in_(
                    (DistillationStatus.DISTILLING, DistillationStatus.EVALUATING)
                ),
                Distillation.lease_expires_at > now,
            ),
            select(func.count()).where(
                Training.status == TrainingStatus.RUNNING, Training.lease_expires_at > now
            ),
        )
        return sum(self._session.scalar(query) or 0 for query in counts)

    def forget_unused(self, dataset_id: str) -> None:
        """Forecasts of yesterday and before that no distillation followed."""
        followed = exists().where(Distillation.forecast_id == Forecast.id)
        self._session.execute(
            delete(Forecast).where(
                Forecast.dataset_id == dataset_id,
                Forecast.status.not_in(WAITING),
                Forecast.created_at < utc_now() - timedelta(days=1),
                ~followed,
            )
        )

    def has_teachers(self, dataset_id: str, settings: Mapping[str, Any]) -> bool:
        """Whether the teachers that these settings ask for are recorded already."""
        sets = self._session.scalars(
            select(TrajectorySet).where(
                TrajectorySet.dataset_id == dataset_id,
                TrajectorySet.status == TrajectorySetStatus.READY,
                TrajectorySet.teachers == settings["teachers"],
            )
        )
        return any(_teaches(row.config, settings) for row in sets)


class MeasurementRepository:
    """Measurements tell of machines, and of nobody's data: whoever asks may have them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def newest(self, pace_key: str, images: int) -> tuple[DeviceBenchmark, Measurement] | None:
        """The last measurement of such steps that is neither too old nor of much smaller sets."""
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
        """In place of the older ones of the same device."""
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


def _teaches(config: JsonObject, settings: Mapping[str, Any]) -> bool:
    shaping = {name: config.get(name) for name in ("seed", "image_size")}
    for section in TAUGHT_BY:
        shaping |= config.get(section, {})
    shaping["precision"] = config.get("compute", {}).get("precision")
    return all(settings.get(name) == value for name, value in shaping.items())

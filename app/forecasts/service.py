"""Forecasts: time and memory of a distillation before it starts.

A worker benchmarks its device once for each kind of job. From then on the portal calculates, and
another number of images per class or of iterations is answered at once.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.queue import Task, enqueue_after_commit
from app.core.security import Caller, Role
from app.core.types import JsonObject
from app.distillations.schemas import DistillationCreate
from app.distillations.service import check_request, settings_hash
from app.forecasts.estimate import Outcome, audit_text, make_estimate, misfit
from app.forecasts.keys import pace_key
from app.forecasts.repository import ForecastRepository, MeasurementRepository
from app.forecasts.schemas import (
    AuditPowerRead,
    EstimateRead,
    FollowedRead,
    ForecastRead,
    WaitingRead,
)
from app.models.dataset import DRAWN_SPLITS, Dataset
from app.models.distillation import Distillation, DistillationStatus
from app.models.forecast import WAITING, Forecast, ForecastStatus, Measurement
from app.organisations.quotas import QuotaExceeded
from iadd.config import Config
from iadd.forecast.arithmetic import DeviceBenchmark, Job
from iadd.privacy.power import may_clear, reachable_tpr

CHANNELS = 1
"""Channels of every dataset: X-rays are grey."""
UNITS_SHARE = 5
"""One of so many training units is an audit unit at most (`iadd.config.AuditConfig`)."""
FEWEST_UNITS = 10
CAUTIOUS_DEFF = 4.0
"""Design effect that a forecast assumes: repeated runs differ by more than their units do."""
MOST_WAITING = 20
"""Forecasts of an organisation that may wait for a worker at the same time."""
PHASES = ("teaching", "distilling", "evaluating")
AUDITED = (*PHASES, "auditing")
"""With repetitions for the audit; without, its attacks are not forecast."""


def ask(session: Session, caller: Caller, dataset_id: str, body: DistillationCreate) -> Forecast:
    """Make a forecast: `ready` or `failed` at once, or `queued` with a message for a worker.

    Raises the errors of starting the distillation, but for its quota; and QuotaExceeded.
    """
    dataset, preset, settings = check_request(session, caller, dataset_id, body)
    forecasts = ForecastRepository(session)
    digest = settings_hash(preset.name, settings)
    waiting = forecasts.readable_by(caller).waiting()
    for one in waiting:
        if (one.dataset_id, one.settings_hash) == (dataset.id, digest):
            return one
    forecasts.forget_unused(dataset.id)
    forecast = Forecast(
        organisation_id=caller.organisation_id,
        dataset_id=dataset.id,
        preset=preset.name,
        settings=settings,
        settings_hash=digest,
        pace_key=pace_key(settings, channels=CHANNELS),
    )
    measured = measurement_for(session, forecast, dataset)
    if measured is None and len(waiting) >= MOST_WAITING:
        raise QuotaExceeded(
            f"{MOST_WAITING} forecasts of your organisation wait for a worker, the most that may. "
            "No other was asked for. Look at one of them first.",
            limit=MOST_WAITING,
        )
    forecasts.add(forecast)
    if measured is None:
        enqueue_after_commit(session, Task.FORECAST, forecast.id)
    else:
        for name, value in conclusion(session, forecast, dataset, *measured).items():
            setattr(forecast, name, value)
        session.flush()
    record(
        session,
        caller,
        Action.FORECAST_ASKED,
        forecast.id,
        dataset=dataset.id,
        preset=preset.name,
    )
    return forecast


def measurement_for(
    session: Session, forecast: Forecast, dataset: Dataset
) -> tuple[DeviceBenchmark, Measurement] | None:
    """Find a measurement of the steps of this forecast."""
    images = _job(forecast, dataset).distilled
    return MeasurementRepository(session).newest(forecast.pace_key, images)


def conclusion(
    session: Session,
    forecast: Forecast,
    dataset: Dataset,
    benchmark: DeviceBenchmark,
    measurement: Measurement,
) -> JsonObject:
    """Calculate the columns of a forecast: its status, estimate and problem."""
    job = _job(forecast, dataset)
    caller = Caller.on_behalf(forecast.organisation_id, Role.RESEARCHER, "forecast")
    estimate = make_estimate(
        benchmark,
        job,
        measured_at=measurement.created_at,
        earlier=_outcomes(session, caller, benchmark.device),
        teachers_are_there=ForecastRepository(session).has_teachers(dataset.id, job.config),
        audit=audit_power(job, dataset),
    )
    problem = misfit(benchmark, job)
    status = ForecastStatus.READY if problem is None else ForecastStatus.FAILED
    return {"status": status, "estimate": estimate, "problem": problem}


def _job(forecast: Forecast, dataset: Dataset) -> Job:
    return Job.of(Config().override(forecast.settings), dataset.classes or {})


def audit_power(job: Job, dataset: Dataset) -> JsonObject:
    """What the audit of a job can find at best, before it starts."""
    audit = job.config.audit
    if job.config.protection.privacy == "dp":
        # Its proof needs no attack, and repetitions would be paid for.
        return {"runs": 0, "units": 0, "finds": None, "clears": None, "proven": True}
    runs, chosen = audit.audit_test_runs, job.config.audit.audit_units
    if runs:
        units = min(chosen, job.train // UNITS_SHARE)
    else:
        # The run itself is the only test, where chance left the test images out.
        runs = 1 if dataset.split_by in DRAWN_SPLITS else 0
        units = min(2 * min(job.train, job.test), chosen)
    finds, clears = None, False
    if runs and units >= FEWEST_UNITS:
        deff = 1.0 if runs == 1 else CAUTIOUS_DEFF
        finds = reachable_tpr(runs=runs, units=units, deff=deff)
        limit = audit.audit_leak_limit
        clears = finds <= limit and may_clear(runs=runs, units=units, limit=limit, deff=deff)
    return {"runs": audit.audit_test_runs, "units": units, "finds": finds, "clears": clears}


def _audit(session: Session, forecast: Forecast) -> AuditPowerRead | None:
    """What its audit can find, with the time that it takes where there is an estimate."""
    told = (forecast.estimate or {}).get("audit")
    if told is None:
        dataset = session.get_one(Dataset, forecast.dataset_id)
        if not dataset.classes:
            return None
        audit = audit_power(_job(forecast, dataset), dataset)
        told = {**audit, "text": audit_text(audit, None)}
    return AuditPowerRead.model_validate(told)


def _outcomes(session: Session, caller: Caller, device: str) -> list[Outcome]:
    """Times of the organisation's finished distillations on this device, and their forecasts."""
    found = []
    for forecast, distillation in ForecastRepository(session).readable_by(caller).followed():
        estimate = forecast.estimate or {}
        taken = taken_seconds(distillation.timings, estimate)
        if estimate.get("device") == device and taken and estimate["measured_seconds"] > 0:
            found.append(Outcome(estimate["measured_seconds"], estimate["seconds"], taken))
    return found


def taken_seconds(timings: Mapping[str, Any], estimate: Mapping[str, Any]) -> float | None:
    """Seconds of the phases that a forecast covers; None where the two cannot be compared.

    They cannot where teachers were to be trained and another distillation had trained them.
    """
    taught = timings.get("teaching", 0.0) > 0
    if not estimate or taught == bool(estimate["teachers_are_there"]):
        return None
    repeated = estimate.get("phases", {}).get("auditing", 0.0) > 0
    return float(sum(timings.get(phase, 0.0) for phase in (AUDITED if repeated else PHASES)))


def read(session: Session, forecast: Forecast) -> ForecastRead:
    """Present a forecast, with what it waits for or with the distillation that followed it."""
    forecasts = ForecastRepository(session)
    waiting = None
    if forecast.status in WAITING:
        ahead, computing = forecasts.ahead_of(forecast), forecasts.computing()
        waiting = WaitingRead(
            ahead=ahead, computing=computing, text=_waits_for(forecast, ahead, computing)
        )
    distillation = forecasts.distillation_of(forecast.id)
    return ForecastRead(
        id=forecast.id,
        created_at=forecast.created_at,
        updated_at=forecast.updated_at,
        dataset_id=forecast.dataset_id,
        status=forecast.status,
        preset=forecast.preset,
        settings=forecast.settings,
        audit=_audit(session, forecast),
        estimate=EstimateRead.model_validate(forecast.estimate) if forecast.estimate else None,
        waiting=waiting,
        problem=forecast.problem,
        followed=None if distillation is None else _followed(forecast, distillation),
    )


def _waits_for(forecast: Forecast, ahead: int, computing: int) -> str:
    if forecast.status == ForecastStatus.MEASURING:
        return "A worker measures a few steps on its device; the estimate follows in a moment."
    if ahead:
        return f"{ahead} other forecast(s) are measured before this one; the estimate follows."
    if computing:
        return (
            f"Workers are busy with {computing} computation(s); the estimate follows when one of "
            "them has ended. A distillation can be started without waiting for it."
        )
    return "It waits for a worker; the estimate follows."


def _followed(forecast: Forecast, distillation: Distillation) -> FollowedRead:
    taken = None
    if distillation.status == DistillationStatus.READY:
        taken = taken_seconds(distillation.timings, forecast.estimate or {})
    return FollowedRead(distillation_id=distillation.id, status=distillation.status, seconds=taken)

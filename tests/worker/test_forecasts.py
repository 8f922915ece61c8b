"""Forecasts that a worker measures on its own device."""

from typing import TYPE_CHECKING, Any

import pytest

from app.background.sweeper import sweep
from app.core.ids import new_id
from app.core.queue import Task
from app.distillations.service import settings_hash
from app.forecasts.keys import pace_key
from app.forecasts.service import CHANNELS
from app.models import Distillation, DistillationStatus, Forecast, ForecastStatus, Measurement
from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.presets import PRESETS
from tests.fixtures.worker_harness import TINY

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness


def settings(**changes: Any) -> dict[str, Any]:
    """Of a preset as the portal has them, made tiny."""
    config: Config = PRESETS["cpu_demo"]()
    flat = config.override({**TINY, "image_size": 16, "images_per_class": 2, "seed": 7, **changes})
    return {name: list(v) if isinstance(v, tuple) else v for name, v in flat.flat().items()}


def add(harness: "WorkerHarness", dataset_id: str, chosen: dict[str, Any]) -> str:
    forecast = Forecast(
        id=new_id("fc"),
        organisation_id=harness.organisation_id,
        dataset_id=dataset_id,
        preset="cpu_demo",
        settings=chosen,
        settings_hash=settings_hash("cpu_demo", chosen),
        pace_key=pace_key(chosen, channels=CHANNELS),
    )
    with harness.database.transaction() as session:
        session.add(forecast)
    return forecast.id


def row(harness: "WorkerHarness", forecast_id: str) -> Forecast:
    with harness.database.reading() as session:
        return session.get_one(Forecast, forecast_id)


def answered(harness: "WorkerHarness", forecast_id: str) -> Forecast:
    ends = (ForecastStatus.READY, ForecastStatus.FAILED)
    harness.until(
        lambda: row(harness, forecast_id).status in ends, f"{forecast_id} is answered", seconds=240
    )
    return row(harness, forecast_id)


def measurements(harness: "WorkerHarness", key: str) -> list[Measurement]:
    with harness.database.reading() as session:
        return list(session.query(Measurement).filter_by(pace_key=key))


@pytest.mark.slow
def test_a_worker_measures_once_and_answers_the_next_from_that(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset_id = harness.add_dataset(squares)
    first = add(harness, dataset_id, settings())
    harness.send(Task.FORECAST, first)

    found = answered(harness, first)

    assert found.status == ForecastStatus.READY, f"{found.problem}\n{harness.logs()}"
    estimate = found.estimate
    assert estimate is not None
    assert all(seconds > 0 for seconds in estimate["phases"].values())
    assert estimate["device"].endswith("1 thread")
    assert 0 < estimate["peak_bytes"] < estimate["memory_bytes"]
    (measured,) = measurements(harness, found.pace_key)

    more = settings(iterations=80, images_per_class=3)
    second = add(harness, dataset_id, more)
    harness.send(Task.FORECAST, second)
    found = answered(harness, second)
    assert found.estimate is not None
    assert found.estimate["phases"]["distilling"] > 5 * estimate["phases"]["distilling"]
    assert [one.id for one in measurements(harness, found.pace_key)] == [measured.id]


@pytest.mark.slow
def test_a_forecast_is_measured_on_the_machines_that_compute(
    own_harness: "WorkerHarness", squares: ImageSet
) -> None:
    harness = own_harness
    forecast_id = add(harness, harness.add_dataset(squares), settings())
    harness.start_worker("gpu")
    harness.send(Task.FORECAST, forecast_id)
    assert answered(harness, forecast_id).status == ForecastStatus.READY, harness.logs()


@pytest.mark.slow
def test_a_killed_worker_leaves_the_forecast_to_the_next(
    own_harness: "WorkerHarness", squares: ImageSet
) -> None:
    harness = own_harness
    forecast_id = add(harness, harness.add_dataset(squares), settings())
    first = harness.start_worker()
    harness.send(Task.FORECAST, forecast_id)
    harness.until(
        lambda: row(harness, forecast_id).status == ForecastStatus.MEASURING, "it is measured"
    )
    harness.kill_worker(first)
    assert row(harness, forecast_id).estimate is None
    harness.start_worker()

    def swept() -> bool:
        sweep(harness.portal)
        return row(harness, forecast_id).status == ForecastStatus.READY

    harness.until(swept, "the next worker has measured it", seconds=240)


def test_settings_that_cannot_be_measured_fail_with_a_problem(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    """Settings that no network can be built from: the portal would have refused them before."""
    chosen = {**settings(), "depth": 8}
    forecast_id = add(harness, harness.add_dataset(squares), chosen)
    harness.send(Task.FORECAST, forecast_id)

    failed = answered(harness, forecast_id)

    assert failed.status == ForecastStatus.FAILED
    assert failed.problem is not None
    assert failed.problem["type"].endswith(":unfit-settings")
    assert "Nothing was started" in failed.problem["detail"]


@pytest.mark.slow
def test_the_estimate_is_of_the_order_of_what_the_job_takes(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset_id = harness.add_dataset(squares)
    chosen = settings(iterations=30)
    forecast_id = add(harness, dataset_id, chosen)
    harness.send(Task.FORECAST, forecast_id)
    told = answered(harness, forecast_id).estimate
    assert told is not None

    distillation_id = harness.add_distillation(dataset_id, iterations=30)
    with harness.database.transaction() as session:
        session.get_one(Distillation, distillation_id).forecast_id = forecast_id
    taken = harness.wait_for(distillation_id, DistillationStatus.READY, seconds=120)

    # Both ran while other tests did: this holds them to the same units, not to a clock.
    seconds = sum(taken.timings[phase] for phase in ("teaching", "distilling", "evaluating"))
    assert told["seconds"] / 100 < seconds < told["seconds"] * 100

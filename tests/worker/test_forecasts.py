"""Forecasts that a worker measures on its own device."""

from typing import TYPE_CHECKING, Any

import pytest

from app.background.sweeper import sweep
from app.core.ids import new_id
from app.core.queue import Task
from app.forecasts.keys import pace_key, settings_hash
from app.forecasts.service import CHANNELS
from app.models import Distillation, DistillationStatus, Forecast, ForecastStatus, Measurement
from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.presets import PRESETS
from tests.worker.conftest import TINY

if TYPE_CHECKING:
    from conftest import Bench


def settings(**changes: Any) -> dict[str, Any]:
    """Of a preset as the portal has them, made tiny."""
    config: Config = PRESETS["cpu_demo"]()
    flat = config.override({**TINY, "image_size": 16, "images_per_class": 2, "seed": 7, **changes})
    return {name: list(v) if isinstance(v, tuple) else v for name, v in flat.flat().items()}


def add(bench: "Bench", dataset_id: str, chosen: dict[str, Any]) -> str:
    forecast = Forecast(
        id=new_id("fc"),
        organisation_id=bench.organisation_id,
        dataset_id=dataset_id,
        preset="cpu_demo",
        settings=chosen,
        settings_hash=settings_hash("cpu_demo", chosen),
        pace_key=pace_key(chosen, channels=CHANNELS),
    )
    with bench.database.transaction() as session:
        session.add(forecast)
    return forecast.id


def row(bench: "Bench", forecast_id: str) -> Forecast:
    with bench.database.reading() as session:
        return session.get_one(Forecast, forecast_id)


def answered(bench: "Bench", forecast_id: str) -> Forecast:
    ends = (ForecastStatus.READY, ForecastStatus.FAILED)
    bench.until(
        lambda: row(bench, forecast_id).status in ends, f"{forecast_id} is answered", seconds=240
    )
    return row(bench, forecast_id)


def measurements(bench: "Bench", key: str) -> list[Measurement]:
    with bench.database.reading() as session:
        return list(session.query(Measurement).filter_by(pace_key=key))


def test_a_worker_measures_once_and_answers_the_next_from_that(
    bench: "Bench", squares: ImageSet
) -> None:
    dataset_id = bench.add_dataset(squares)
    first = add(bench, dataset_id, settings())
    bench.send(Task.FORECAST, first)

    found = answered(bench, first)

    assert found.status == ForecastStatus.READY, f"{found.problem}\n{bench.logs()}"
    estimate = found.estimate
    assert estimate is not None
    assert all(seconds > 0 for seconds in estimate["phases"].values())
    assert estimate["device"].endswith("1 thread")
    assert 0 < estimate["peak_bytes"] < estimate["memory_bytes"]
    (measured,) = measurements(bench, found.pace_key)

    more = settings(iterations=80, images_per_class=3)
    second = add(bench, dataset_id, more)
    bench.send(Task.FORECAST, second)
    found = answered(bench, second)
    assert found.estimate is not None
    assert found.estimate["phases"]["distilling"] > 5 * estimate["phases"]["distilling"]
    assert [one.id for one in measurements(bench, found.pace_key)] == [measured.id]


def test_a_forecast_is_measured_on_the_machines_that_compute(
    own_bench: "Bench", squares: ImageSet
) -> None:
    bench = own_bench
    forecast_id = add(bench, bench.add_dataset(squares), settings())
    bench.start_worker("gpu")
    bench.send(Task.FORECAST, forecast_id)
    assert answered(bench, forecast_id).status == ForecastStatus.READY, bench.logs()


@pytest.mark.slow
def test_a_killed_worker_leaves_the_forecast_to_the_next(
    own_bench: "Bench", squares: ImageSet
) -> None:
    bench = own_bench
    forecast_id = add(bench, bench.add_dataset(squares), settings())
    first = bench.start_worker()
    bench.send(Task.FORECAST, forecast_id)
    bench.until(
        lambda: row(bench, forecast_id).status == ForecastStatus.MEASURING, "it is measured"
    )
    bench.kill_worker(first)
    assert row(bench, forecast_id).estimate is None
    bench.start_worker()

    def swept() -> bool:
        sweep(bench.portal)
        return row(bench, forecast_id).status == ForecastStatus.READY

    bench.until(swept, "the next worker has measured it", seconds=240)


def test_settings_that_cannot_be_measured_fail_with_a_problem(
    bench: "Bench", squares: ImageSet
) -> None:
    """Settings that no network can be built from: the portal would have refused them before."""
    chosen = {**settings(), "depth": 8}
    forecast_id = add(bench, bench.add_dataset(squares), chosen)
    bench.send(Task.FORECAST, forecast_id)

    failed = answered(bench, forecast_id)

    assert failed.status == ForecastStatus.FAILED
    assert failed.problem is not None
    assert failed.problem["type"].endswith(":unfit-settings")
    assert "Nothing was started" in failed.problem["detail"]


def test_the_estimate_is_of_the_order_of_what_the_job_takes(
    bench: "Bench", squares: ImageSet
) -> None:
    dataset_id = bench.add_dataset(squares)
    chosen = settings(iterations=30)
    forecast_id = add(bench, dataset_id, chosen)
    bench.send(Task.FORECAST, forecast_id)
    told = answered(bench, forecast_id).estimate
    assert told is not None

    distillation_id = bench.add_distillation(dataset_id, iterations=30)
    with bench.database.transaction() as session:
        session.get_one(Distillation, distillation_id).forecast_id = forecast_id
    taken = bench.wait_for(distillation_id, DistillationStatus.READY, seconds=120)

    # Both ran while other tests did: this holds them to the same units, not to a clock.
    seconds = sum(taken.timings[phase] for phase in ("teaching", "distilling", "evaluating"))
    assert told["seconds"] / 100 < seconds < told["seconds"] * 100

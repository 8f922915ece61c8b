"""A portal whose workers have measured something."""

from collections.abc import Callable
from typing import Any

import pytest

from app.distillations.presets import get_preset
from app.forecasts.keys import pace_key
from app.forecasts.repository import MeasurementRepository
from tests.fixtures.benchmarks import benchmark_document


@pytest.fixture
def measured(portal: Any) -> Callable[..., None]:
    """A worker has measured the steps of a preset."""

    def measure(preset: str = "cpu_demo", **changes: Any) -> None:
        key = pace_key(get_preset(preset).settings({}, {}), channels=1)
        with portal.database.transaction() as session:
            MeasurementRepository(session).add(key, benchmark_document(**changes))

    return measure

"""A portal whose workers have measured something."""

from collections.abc import Callable
from typing import Any

import pytest

from app.distillations.presets import get_preset
from app.forecasts.keys import pace_key
from app.forecasts.repository import MeasurementRepository


def paces(**changes: Any) -> dict[str, Any]:
    """A student step of 10 ms and 1 ms for each image; 100 MB for each image."""
    points = [
        {
            "batch": images,
            "images": images,
            "step": 0.01 + 0.001 * images,
            "epoch": 0.001 * images,
            "epoch_fixed": 0.0,
            "peak_bytes": 400_000_000 + 100_000_000 * images,
        }
        for images in (2, 8)
    ]
    return {
        "device": "a CPU, 2 threads",
        "kind": "cpu",
        "memory_bytes": 4 * 10**9,
        "shown": 64,
        "teaching": {"fixed": 0.0, "each": 1.0},
        "full": {"fixed": 0.0, "each": 1.0},
        "teachers_at_once": 1,
        "points": points,
        "covers_images": 64,
        "steps": 10,
        "base_bytes": 500_000_000,
        "parameters": 10_000,
        "channels": 1,
        "forward_operations": 1_000_000,
        "compilation": {
            "possible": False,
            "seconds": 80.0,
            "saved_per_step": 0.0,
            "saved_per_operation": 0.0,
        },
        "cpu_share": 0.9,
        **changes,
    }


@pytest.fixture
def measured(portal: Any) -> Callable[..., None]:
    """A worker has measured the steps of a preset."""

    def measure(preset: str = "cpu_demo", **changes: Any) -> None:
        key = pace_key(get_preset(preset).settings({}, {}), channels=1)
        with portal.database.transaction() as session:
            MeasurementRepository(session).add(key, paces(**changes))

    return measure

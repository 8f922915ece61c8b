"""How a forecast is answered: a few steps are measured on this worker's device.

In a process of its own, `python -m iadd.forecast.device_benchmark`: its memory is that of the steps
alone, and where they run out of memory it is that process which dies, and not the worker.
"""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sqlalchemy.orm import Session

from app.core.errors import problem_dict
from app.core.queue import Task
from app.core.types import JsonObject
from app.forecasts.repository import ForecastRepository, MeasurementRepository
from app.forecasts.service import CHANNELS, conclusion, measurement_for
from app.models import Dataset, Forecast, ForecastStatus
from app.standalone import parent_death
from iadd.config import Config
from worker.device import choose_device
from worker.jobs.lease import ClaimedRow
from worker.jobs.problems import problem_of
from worker.jobs.runner import JobKind, run_job
from worker.services import Services

logger = logging.getLogger(__name__)

LONGEST_SECONDS = 300.0
"""A measurement takes ten to twenty on two cores; a machine under load needs longer."""
SECONDS_BETWEEN_LOOKS = 0.1
KEPT = "Nothing was started, and the dataset is as it was."
OUT_OF_MEMORY = "out_of_memory"
KILLED = -9
"""What the system does to a process that takes more memory than there is."""


class NeedsMoreMemoryError(RuntimeError):
    """The steps do not fit into the memory of the device."""


class MeasuringTooSlowError(RuntimeError):
    """A few steps took longer than a forecast may."""


def forecast(forecast_id: str) -> bool:
    """Answer a forecast, from what is known by now or by measuring."""
    return run_job(_KIND, forecast_id, _answer)


def _answer(services: Services, claimed: ClaimedRow, row: Forecast) -> Callable[[], None]:
    with services.database.reading() as session:
        dataset = session.get_one(Dataset, row.dataset_id)
        known = measurement_for(session, row, dataset)
    document: JsonObject | None = None
    if known is None:
        claimed.write(status=ForecastStatus.MEASURING)
        document = _measure(services, claimed, row, dataset)

    def finish() -> None:
        with services.database.transaction() as session:
            measured = known
            if document is not None:
                measured = MeasurementRepository(session).add(row.pace_key, document)
            assert measured is not None, "either known or measured"
            values = conclusion(session, row, dataset, *measured)
            ForecastRepository(session).end(row.id, fence=claimed.fencing_token, **values)
        logger.info("%s: %s", row.id, values["status"].value)

    return finish


def _measure(
    services: Services, claimed: ClaimedRow, row: Forecast, dataset: Dataset
) -> JsonObject:
    """What `iadd.forecast.device_benchmark` finds out about the steps of these settings."""
    request = {
        "settings": Config().override(row.settings).to_dict(),
        "classes": len(dataset.classes or {}),
        "channels": CHANNELS,
        "device": choose_device(services.worker_settings).type,
        "threads": torch.get_num_threads(),
    }
    with services.scratch() as scratch:
        out = scratch / "benchmark.json"
        code = _run(claimed, request, out)
        if code == KILLED:
            raise NeedsMoreMemoryError
        if code != 0:
            raise RuntimeError(f"measuring ended with exit code {code}")
        document: JsonObject = json.loads(out.read_text())
    if document.get("error") == OUT_OF_MEMORY:
        raise NeedsMoreMemoryError
    return document


def _run(claimed: ClaimedRow, request: JsonObject, out: Path) -> int:
    """The exit code of the measuring process, which does not outlive this one."""
    # The launcher ties it to this worker, should that be killed.
    launcher = [sys.executable, "-I", "-S", str(Path(parent_death.__file__)), str(os.getpid())]
    with out.open("wb") as written:
        process = subprocess.Popen(
            [*launcher, sys.executable, "-P", "-m", "iadd.forecast.device_benchmark"],
            stdin=subprocess.PIPE,
            stdout=written,
        )
    deadline = time.monotonic() + LONGEST_SECONDS
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        while process.poll() is None:
            claimed.check()
            if time.monotonic() > deadline:
                raise MeasuringTooSlowError
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return process.returncode
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _fail(session: Session, claimed: ClaimedRow, problem: JsonObject) -> None:
    ForecastRepository(session).end(
        claimed.row_id,
        fence=claimed.fencing_token,
        status=ForecastStatus.FAILED,
        problem=problem,
    )


def _problem(error: Exception) -> dict[str, Any]:
    if isinstance(error, NeedsMoreMemoryError):
        return problem_dict(
            code="does-not-fit",
            title="These settings need more memory than the worker has",
            status=422,
            detail="The worker ran out of memory while it measured a few steps of such a job. "
            f"{KEPT} Choose a smaller preset, a narrower network or a smaller teacher_batch_size.",
            fits={},
        )
    if isinstance(error, MeasuringTooSlowError):
        return problem_dict(
            code="too-slow-to-measure",
            title="A few steps take too long on this worker",
            status=422,
            detail=f"After {LONGEST_SECONDS:.0f} s not even the few steps that a forecast measures "
            f"were done. {KEPT} A whole job would take very long here: choose a smaller preset, or "
            "ask again when workers are less busy.",
        )
    return problem_of(error, doing="measuring a few steps", kept=KEPT)


_KIND = JobKind(
    model=Forecast,
    task=Task.FORECAST,
    claim=lambda session, row_id, **lease: ForecastRepository(session).claim(row_id, **lease),
    problem=_problem,
    fail=_fail,
    release_values={"status": ForecastStatus.QUEUED},
)

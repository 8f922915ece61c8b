"""A GPU that goes away: the row waits for another worker, and this one ends."""

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from app.distillations.repository import DistillationRepository
from app.models import DistillationStatus, EventKind
from iadd.data.image_set import ImageSet
from worker.distillation.phases import Outcome, PhaseContext, run_phase
from worker.jobs import runner
from worker.services import Services
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

GPU_LOSS_WORKER = (sys.executable, "-P", str(Path(__file__).with_name("gpu_loss_worker.py")))
QUEUED = DistillationStatus.QUEUED


@pytest.fixture
def ended(own_harness: "WorkerHarness", monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Phases run in this process, which notes that it should end."""
    ended: list[str] = []
    services = Services(
        settings=own_harness.portal.settings,
        worker_settings=WorkerSettings(largest_attempts=2),
        database=own_harness.database,
        storage=own_harness.storage,
    )
    monkeypatch.setattr(runner, "get_services", lambda: services)
    monkeypatch.setattr(runner, "end_worker", lambda: ended.append("ended"))
    return ended


def lose_the_gpu(phase: PhaseContext) -> Outcome:
    raise torch.AcceleratorError("CUDA error: unspecified launch failure")


def log_of(harness: "WorkerHarness", row_id: str) -> list[str]:
    with harness.database.reading() as session:
        events = DistillationRepository(session).events.after(row_id, 0)
        return [event.data["message"] for event in events if event.kind == EventKind.LOG]


@pytest.mark.slow
def test_another_worker_takes_the_row_with_a_log_line_and_this_one_ends(
    own_harness: "WorkerHarness", squares: ImageSet, ended: list[str]
) -> None:
    row_id = own_harness.add_distillation(own_harness.add_dataset(squares))
    run_phase(row_id, QUEUED, lose_the_gpu)
    row = own_harness.row(row_id)
    assert (row.status, row.lease_expires_at, row.problem) == (QUEUED, None, None)
    assert ended == ["ended"]
    assert log_of(own_harness, row_id) == [
        "The worker's GPU stopped answering. Nothing up to the last checkpoint is lost: another "
        "worker goes on from there."
    ]
    own_harness.start_worker()
    assert own_harness.wait_for(row_id, DistillationStatus.READY).problem is None


def test_a_gpu_that_is_lost_again_and_again_fails_the_row(
    own_harness: "WorkerHarness", squares: ImageSet, ended: list[str]
) -> None:
    row_id = own_harness.add_distillation(own_harness.add_dataset(squares))
    for _ in range(2):
        run_phase(row_id, QUEUED, lose_the_gpu)
    row = own_harness.row(row_id)
    assert row.status == DistillationStatus.FAILED
    assert row.problem is not None
    assert row.problem["title"] == "The GPU was lost"
    assert row.problem["type"].endswith("device-lost")
    assert "unspecified launch failure" not in row.problem["detail"]
    assert len(ended) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "phase"), [("record_trajectory", "teaching"), ("distill", "distilling")]
)
def test_a_worker_that_loses_its_gpu_ends_and_the_next_goes_on_from_the_checkpoint(
    own_harness: "WorkerHarness", squares: ImageSet, function: str, phase: str
) -> None:
    harness = own_harness
    # One private seed, so that both jobs draw the same and their files can be the same.
    of_both = {"private_seed": secrets.token_hex(16), "teacher_epochs": 6, "iterations": 20}
    row_id = harness.add_distillation(harness.add_dataset(squares), **of_both)
    harness.environment |= {"LOSE_GPU_IN": function, "LOSE_GPU_AFTER": "3"}
    losing = harness.start_worker(command=GPU_LOSS_WORKER)
    assert losing.wait(timeout=60) == 1
    assert "The GPU does not answer" in harness.logs()
    row = harness.row(row_id)
    assert (row.status, row.lease_expires_at) == (phase, None)
    assert row.phases[phase]["done"] >= 3
    harness.start_worker()
    row = harness.wait_for(row_id, DistillationStatus.READY)
    assert len(log_of(harness, row_id)) >= 1
    assert harness.leftovers(row_id) == []
    undisturbed = harness.add_distillation(harness.add_dataset(squares), **of_both)
    assert harness.stored(row.distilled_key) == harness.stored(
        harness.wait_for(undisturbed, DistillationStatus.READY).distilled_key
    )


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, and it would be found")
def test_a_worker_that_needs_a_gpu_and_finds_none_ends_before_it_takes_a_task(
    own_harness: "WorkerHarness", squares: ImageSet
) -> None:
    row_id = own_harness.add_distillation(own_harness.add_dataset(squares))
    own_harness.environment["EXCHANGE_DEVICE"] = "cuda"
    assert own_harness.start_worker().wait(timeout=60) != 0
    assert own_harness.row(row_id).status == QUEUED

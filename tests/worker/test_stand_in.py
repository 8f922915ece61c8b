"""A CPU serves the gpu queue while no GPU does, and leaves its job to a GPU that comes."""

from datetime import timedelta

import pytest

from app.core.clock import utc_now
from app.models import DistillationStatus, WorkerProcess
from worker.liveness import FOLDER, REGISTERED, STANDS_BY, TAKES
from worker.stand_in import AWAY_AFTER, is_gpu_served


def add_worker(harness, *, device="NVIDIA H200", queues=("gpu", "forecast"), ago=timedelta(0)):
    now = utc_now() - ago
    row = WorkerProcess(
        id="elsewhere:1",
        host="elsewhere",
        pid=1,
        queues=list(queues),
        device=device,
        version="0.3.0",
        started_at=now,
        seen_at=now,
    )
    with harness.database.transaction() as session:
        session.merge(row)


@pytest.mark.parametrize(
    ("worker", "served"),
    [
        ({}, True),
        ({"ago": timedelta(seconds=20)}, True),
        ({"ago": AWAY_AFTER + timedelta(seconds=1)}, False),
        ({"device": "cpu"}, False),
        ({"queues": ("cpu",)}, False),
    ],
)
def test_only_a_live_worker_with_a_gpu_serves_the_queue(own_harness, worker, served):
    assert not is_gpu_served(own_harness.database)
    add_worker(own_harness, **worker)
    assert is_gpu_served(own_harness.database) is served


@pytest.mark.slow
def test_it_stands_by_takes_over_and_leaves_at_a_checkpoint(own_harness, squares, tmp_path):
    marks = tmp_path / "marks"
    stand_in = {"EXCHANGE_STAND_IN": "true", "EXCHANGE_DEVICE": "cpu", FOLDER: str(marks)}
    distillation_id = own_harness.add_distillation(
        own_harness.add_dataset(squares), iterations=100_000
    )
    own_harness.start_worker(queues="cpu")
    add_worker(own_harness)

    own_harness.environment.update(stand_in)
    worker = own_harness.start_worker(queues="gpu")
    own_harness.until((marks / STANDS_BY).exists, "it stands by")
    assert not (marks / TAKES).exists()

    add_worker(own_harness, ago=timedelta(hours=1))
    own_harness.wait_for(distillation_id, DistillationStatus.DISTILLING)
    assert (marks / TAKES).exists()
    assert (marks / REGISTERED).exists()
    assert not (marks / STANDS_BY).exists()

    add_worker(own_harness)
    own_harness.until(lambda: worker.poll() is not None, "it has left")
    assert worker.returncode == 0
    row = own_harness.row(distillation_id)
    assert row.status == DistillationStatus.DISTILLING
    assert row.lease_owner is None

"""A run of a job: tried again after a transient error, taken over, interrupted, cancelled."""

from typing import TYPE_CHECKING

import pytest

from app.core import leases
from app.core.queue import Queue
from app.distillations.repository import DistillationRepository
from app.maintenance import drain
from app.models import Distillation, DistillationStatus
from iadd.data.image_set import ImageSet
from worker.distillation.phases import Outcome, PhaseContext, run_phase
from worker.jobs import lease, runner
from worker.services import Services
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

QUEUED = DistillationStatus.QUEUED
READY = DistillationStatus.READY


@pytest.fixture
def row_id(own_harness: "WorkerHarness", squares: ImageSet, monkeypatch: pytest.MonkeyPatch) -> str:
    """A distillation that waits; phases run in this process, without pauses between tries."""
    services = Services(
        settings=own_harness.portal.settings,
        worker_settings=WorkerSettings(),
        database=own_harness.database,
        storage=own_harness.storage,
    )
    monkeypatch.setattr(runner, "get_services", lambda: services)
    monkeypatch.setattr(runner, "PAUSES", (0.0, 0.0))
    return own_harness.add_distillation(own_harness.add_dataset(squares))


@pytest.mark.parametrize(("failures", "status"), [(2, READY), (3, DistillationStatus.FAILED)])
def test_a_transient_error_is_tried_again_and_fails_the_row_when_it_persists(
    own_harness: "WorkerHarness", row_id: str, failures: int, status: DistillationStatus
) -> None:
    tries: list[str] = []

    def step(phase: PhaseContext) -> Outcome:
        tries.append(phase.row.id)
        if len(tries) <= failures:
            raise ConnectionError
        return Outcome(READY, {})

    run_phase(row_id, QUEUED, step)
    row = own_harness.row(row_id)
    assert tries == [row_id] * 3
    assert (row.status, row.lease_owner) == (status, None)
    assert (row.problem is None) == (status == READY)


def test_no_row_is_claimed_while_the_service_is_drained(
    own_harness: "WorkerHarness", row_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[bool] = []
    monkeypatch.setattr(runner, "wait_for_admission", lambda: left.append(True))
    waiting = own_harness.portal.queue.waiting(Queue.CPU)
    with own_harness.database.transaction() as session:
        drain.drain(session)
    run_phase(row_id, QUEUED, lambda phase: pytest.fail("it was claimed"))
    row = own_harness.row(row_id)
    assert (row.status, row.fence, left) == (QUEUED, 0, [True])
    assert own_harness.portal.queue.waiting(Queue.CPU) == waiting + 1, "for another worker"

    with own_harness.database.transaction() as session:
        drain.resume(session)
    run_phase(row_id, QUEUED, lambda phase: Outcome(READY, {}))
    assert own_harness.row(row_id).status == READY


def test_a_worker_that_lost_its_row_leaves_it_to_the_other(
    own_harness: "WorkerHarness", row_id: str
) -> None:
    def step(phase: PhaseContext) -> Outcome:
        with own_harness.database.transaction() as session:
            leases.release(session, Distillation, row_id, fence=1, lease_owner="other")
        return Outcome(READY, {})

    run_phase(row_id, QUEUED, step)
    row = own_harness.row(row_id)
    assert (row.status, row.lease_owner, row.fence) == (QUEUED, "other", 2)


def test_a_worker_that_stops_gives_the_row_back_and_enqueues_it(
    own_harness: "WorkerHarness", row_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = own_harness.portal.queue.waiting(Queue.CPU)
    monkeypatch.setattr(lease, "is_stopping", lambda: True)
    run_phase(row_id, QUEUED, lambda phase: Outcome(READY, {}))
    row = own_harness.row(row_id)
    assert (row.status, row.lease_owner, row.lease_expires_at) == (QUEUED, None, None)
    assert own_harness.portal.queue.waiting(Queue.CPU) == waiting + 1


def test_a_row_whose_end_was_requested_is_cancelled_before_the_step(
    own_harness: "WorkerHarness", row_id: str
) -> None:
    with own_harness.database.transaction() as session:
        DistillationRepository(session).request_cancel(row_id)
    run_phase(row_id, QUEUED, lambda phase: pytest.fail("the step ran"))
    assert own_harness.row(row_id).status == DistillationStatus.CANCELLED


def test_a_row_in_another_status_is_left_alone(own_harness: "WorkerHarness", row_id: str) -> None:
    run_phase(row_id, DistillationStatus.PACKAGING, lambda phase: pytest.fail("the step ran"))
    assert own_harness.row(row_id).fence == 0

"""What a job waits for is said at once: no worker, a moment, or the turns of others."""

import pytest

from app.core.queue import Task
from app.distillations.repository import DistillationRepository
from app.models import Distillation, DistillationStatus, Priority

DISTILLING = DistillationStatus.DISTILLING


@pytest.fixture
def wait_for(portal):
    """What a distillation waits for, over REST."""

    def ask(distillation_id, by=portal.steward):
        reply = by.get(f"/distillations/{distillation_id}/wait")
        assert reply.status_code == 200, reply.text
        return reply.json()["waiting"]

    return ask


@pytest.fixture
def distilling(portal):
    """One that waits for a worker of the queue `gpu`."""

    def make(dataset_id=None):
        row_id = portal.distillation(dataset_id=dataset_id)
        with portal.database.transaction() as session:
            distillations = DistillationRepository(session)
            distillations.move(row_id, expected=(DistillationStatus.QUEUED,), to=DISTILLING)
        return row_id

    return make


def test_no_worker_takes_such_work(wait_for, distilling, add_worker):
    add_worker(queues=["cpu"])
    waiting = wait_for(distilling())
    assert (waiting["reason"], waiting["queue"]) == ("no-worker", "gpu")


def test_a_free_worker_takes_it_soon(wait_for, distilling, add_worker):
    add_worker()
    assert wait_for(distilling())["reason"] == "next"


def test_every_worker_is_busy_and_others_have_their_turn_before(
    portal, wait_for, distilling, add_worker
):
    add_worker(row_id="dl_other")
    dataset_id = portal.ready_dataset()
    first, second = distilling(dataset_id), distilling(dataset_id)
    busy = {"reason": "busy", "queue": "gpu", "organisations_before": 0}
    assert wait_for(first).items() >= (busy | {"own_before": 0}).items()
    assert wait_for(second).items() >= (busy | {"own_before": 1}).items()


def test_a_job_of_high_priority_has_its_turn_before_older_ones(
    portal, wait_for, distilling, add_worker
):
    add_worker(row_id="dl_other")
    dataset_id = portal.ready_dataset()
    usual = distilling(dataset_id)
    reply = portal.steward.post(
        f"/datasets/{dataset_id}/distillations", json={"preset": "cpu_demo", "priority": "high"}
    )
    urgent = reply.json()["id"]
    assert reply.json()["priority"] == Priority.HIGH.value
    with portal.database.transaction() as session:
        session.get_one(Distillation, urgent).status = DISTILLING
    assert (wait_for(urgent)["own_before"], wait_for(usual)["own_before"]) == (0, 1)


def test_what_a_worker_has_waits_for_nothing(portal, wait_for, distilling):
    row_id = distilling()
    portal.claim(row_id)
    assert wait_for(row_id) is None


def test_nor_does_what_has_ended(portal, wait_for):
    assert wait_for(portal.distillation(DistillationStatus.FAILED)) is None


def test_a_check_says_what_it_waits_for(portal):
    waiting = portal.steward.get(f"/datasets/{portal.uploaded_dataset()}/wait").json()["waiting"]
    assert (waiting["reason"], waiting["queue"]) == ("no-worker", Task.CHECK_DATASET.queue.value)

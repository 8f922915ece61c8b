"""Stopping a distillation, and going on with it."""

import time

import pytest

from app.background.sweeper import sweep
from app.core.leases import LeaseLost
from app.distillations.repository import DistillationRepository
from app.models import ACTIVE, FINAL, DistillationStatus

TAUGHT = {"done": 3, "total": 3, "unit": "teachers"}


@pytest.mark.parametrize("status", ACTIVE)
def test_one_that_nobody_holds_is_cancelled_at_once(portal, status):
    distillation_id = portal.distillation(status)

    reply = portal.researcher.post(f"/distillations/{distillation_id}/cancel")

    assert reply.status_code == 202
    assert reply.json()["status"] == "cancelled"
    assert reply.json()["finished_at"] is not None


def test_one_that_a_worker_holds_is_cancelled_by_it(portal):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    fence = portal.claim(distillation_id)

    reply = portal.steward.post(f"/distillations/{distillation_id}/cancel")

    assert reply.status_code == 202
    assert reply.json()["status"] == "distilling"
    assert reply.json()["cancel_requested_at"] is not None
    with portal.database.transaction() as session:
        distillations = DistillationRepository(session)
        assert distillations.cancel_requested(distillation_id)
        distillations.advance(distillation_id, fence=fence, to=DistillationStatus.CANCELLED)
    assert portal.row(distillation_id).status == DistillationStatus.CANCELLED


def test_one_whose_worker_died_is_cancelled_by_the_sweeper(portal):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    portal.claim(distillation_id, seconds=0.2)
    portal.steward.post(f"/distillations/{distillation_id}/cancel")
    assert portal.row(distillation_id).status == DistillationStatus.DISTILLING

    time.sleep(0.25)
    sweep(portal.services)

    assert portal.row(distillation_id).status == DistillationStatus.CANCELLED


def test_a_worker_of_a_cancelled_one_cannot_write(portal):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    fence = portal.claim(distillation_id, seconds=-1)
    portal.steward.post(f"/distillations/{distillation_id}/cancel")

    with pytest.raises(LeaseLost), portal.database.transaction() as session:
        DistillationRepository(session).write(distillation_id, fence=fence, eta_seconds=1)


def test_cancelling_twice_is_cancelling_once(portal):
    distillation_id = portal.distillation()

    first = portal.steward.post(f"/distillations/{distillation_id}/cancel").json()
    second = portal.steward.post(f"/distillations/{distillation_id}/cancel")

    assert second.status_code == 202
    assert second.json() == first


@pytest.mark.parametrize("status", [DistillationStatus.READY, DistillationStatus.FAILED])
def test_what_has_ended_cannot_be_cancelled(portal, status):
    distillation_id = portal.distillation(status)

    reply = portal.steward.post(f"/distillations/{distillation_id}/cancel")

    assert reply.status_code == 409
    assert reply.json()["distillation_status"] == status.value


@pytest.mark.parametrize("status", [DistillationStatus.FAILED, DistillationStatus.CANCELLED])
def test_retry_queues_it_with_what_was_computed(portal, broker, status):
    distillation_id = portal.distillation()
    portal.advance(
        distillation_id,
        status,
        checkpoint_key="kept",
        problem={"title": "No"},
        phases={"teaching": TAUGHT},
    )
    broker.lose_messages()

    reply = portal.researcher.post(f"/distillations/{distillation_id}/retry")

    body = reply.json()
    assert reply.status_code == 202
    assert (body["status"], body["attempt"]) == ("queued", 2)
    assert body["problem"] is body["finished_at"] is body["cancel_requested_at"] is None
    assert portal.row(distillation_id).checkpoint_key == "kept"
    assert broker.messages() == [("cpu", "start_distillation", distillation_id)]


@pytest.mark.parametrize("status", [*ACTIVE, DistillationStatus.READY])
def test_there_is_nothing_to_retry(portal, status):
    distillation_id = portal.distillation(status)

    reply = portal.steward.post(f"/distillations/{distillation_id}/retry")

    assert reply.status_code == 409
    assert portal.row(distillation_id).status == status


def test_a_retry_sent_twice_with_one_key_happens_once(portal, broker):
    distillation_id = portal.distillation(DistillationStatus.FAILED)
    broker.lose_messages()

    replies = [
        portal.steward.post(
            f"/distillations/{distillation_id}/retry", headers={"Idempotency-Key": "k"}
        )
        for _ in range(2)
    ]

    assert [reply.status_code for reply in replies] == [202, 202]
    assert portal.row(distillation_id).attempt == 2
    assert len(broker.messages()) == 1


@pytest.mark.parametrize("status", ACTIVE)
def test_a_running_one_is_not_deleted(portal, status):
    distillation_id = portal.distillation(status)

    reply = portal.steward.delete(f"/distillations/{distillation_id}")

    assert reply.status_code == 409
    assert portal.row(distillation_id).deleted_at is None


@pytest.mark.parametrize("status", sorted(FINAL))
def test_deleting_removes_its_objects_and_nothing_else(portal, status):
    distillation_id = portal.distillation(status)
    portal.storage.put(f"distillations/{distillation_id}/bundle.zip", b"results")
    dataset_id = portal.row(distillation_id).dataset_id
    kept = portal.stored(f"datasets/{dataset_id}")

    assert portal.steward.delete(f"/distillations/{distillation_id}").status_code == 204

    assert portal.steward.get(f"/distillations/{distillation_id}").status_code == 404
    assert portal.stored("distillations") == []
    assert portal.stored(f"datasets/{dataset_id}") == kept


def test_others_can_do_none_of_it(portal):
    distillation_id = portal.distillation(DistillationStatus.FAILED)

    assert portal.researcher.delete(f"/distillations/{distillation_id}").status_code == 403
    for reply in (
        portal.stranger.post(f"/distillations/{distillation_id}/cancel"),
        portal.stranger.post(f"/distillations/{distillation_id}/retry"),
        portal.stranger.delete(f"/distillations/{distillation_id}"),
    ):
        assert reply.status_code == 404
    assert portal.row(distillation_id).status == DistillationStatus.FAILED

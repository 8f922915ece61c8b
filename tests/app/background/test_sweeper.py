"""Rows that nobody works on get their message again; nobody else does."""

import time
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.background import sweeper
from app.background.sweeper import sweep
from app.core.clock import utc_now
from app.distillations.audit_twins import RUNS_AT_ONCE, AuditTwinRepository
from app.distillations.repository import DistillationRepository
from app.distillations.trajectory_sets import TeacherRepository, TrajectorySetRepository
from app.models import (
    AuditTwin,
    Dataset,
    Distillation,
    DistillationStatus,
    Organisation,
    Teacher,
    TwinStatus,
)

STEPS = {
    DistillationStatus.QUEUED: ("cpu", "start_distillation"),
    DistillationStatus.DISTILLING: ("gpu", "distill"),
    DistillationStatus.EVALUATING: ("gpu", "evaluate"),
    DistillationStatus.AUDITING: ("gpu", "audit"),
    DistillationStatus.PACKAGING: ("cpu", "package"),
}


def age(portal, model, seconds=3600):
    """Nobody touched these rows for a while."""
    with portal.database.transaction() as session:
        session.execute(update(model).values(updated_at=utc_now() - timedelta(seconds=seconds)))


@pytest.mark.parametrize("status", STEPS)
def test_a_dead_workers_row_is_sent_again_at_once(portal, broker, status):
    distillation_id = portal.distillation(status)
    portal.claim(distillation_id, seconds=-1)
    broker.lose_messages()

    sweep(portal.services)
    sweep(portal.services)

    assert broker.messages() == [(*STEPS[status], distillation_id)]
    with portal.database.transaction() as session:
        distillations = DistillationRepository(session)
        assert distillations.claim(distillation_id, statuses=(status,), owner="next", seconds=60)
        assert distillations.load(distillation_id).takeovers == 1


@pytest.mark.parametrize("status", STEPS)
def test_a_row_whose_message_was_lost_is_sent_again(portal, broker, status):
    distillation_id = portal.distillation(status)
    broker.lose_messages()

    sweep(portal.services)
    assert broker.messages() == []
    age(portal, Distillation)
    sweep(portal.services)

    assert broker.messages() == [(*STEPS[status], distillation_id)]


@pytest.mark.parametrize(
    "status",
    [
        DistillationStatus.TEACHING,
        DistillationStatus.READY,
        DistillationStatus.FAILED,
        DistillationStatus.CANCELLED,
    ],
)
def test_a_row_that_waits_for_nothing_gets_no_message(portal, broker, status):
    portal.distillation(status)
    broker.lose_messages()
    age(portal, Distillation)

    sweep(portal.services)

    assert broker.messages() == []


def test_a_row_that_a_worker_holds_is_left_alone(portal, broker):
    portal.claim(portal.distillation(DistillationStatus.DISTILLING), seconds=60)
    broker.lose_messages()
    age(portal, Distillation)

    sweep(portal.services)

    assert broker.messages() == []


def test_a_long_queue_does_not_grow(portal, broker):
    """Ten rows and ten messages: each row waits its turn, however long."""
    dataset_id = portal.ready_dataset()
    broker.lose_messages()
    for _ in range(10):
        portal.distillation(dataset_id=dataset_id)
    before = broker.messages()
    assert len(before) == 10

    for _ in range(3):
        age(portal, Distillation)
        sweep(portal.services)

    assert broker.messages() == before


def test_an_archive_that_nobody_checks_is_sent_again(portal, broker):
    dataset_id = portal.uploaded_dataset()
    broker.lose_messages()
    age(portal, Dataset)

    sweep(portal.services)

    assert broker.messages() == [("cpu", "check_dataset", dataset_id)]


@pytest.mark.parametrize("wanted", [True, False])
def test_teachers_are_sent_again_while_somebody_waits_for_them(portal, broker, wanted):
    distillation_id = portal.distillation(DistillationStatus.TEACHING)
    with portal.database.transaction() as session:
        sets = TrajectorySetRepository(session)
        taught = sets.find_or_add(
            portal.row(distillation_id).dataset_id, "key", config={}, teachers=3
        )
        first, second, third = (teacher.id for teacher in sets.teachers(taught.id))
        session.execute(update(Distillation).values(trajectory_set_id=taught.id))
        TeacherRepository(session).claim(first, owner="dead", seconds=-1)
        TeacherRepository(session).claim(third, owner="alive", seconds=60)
    if not wanted:
        portal.steward.post(f"/distillations/{distillation_id}/cancel")
    broker.lose_messages()
    age(portal, Teacher)

    sweep(portal.services)

    expected = [("gpu", "record_trajectory", teacher_id) for teacher_id in (first, second)]
    assert sorted(broker.messages()) == (sorted(expected) if wanted else [])


@pytest.mark.parametrize("wanted", [True, False])
def test_repetitions_are_sent_again_while_the_audit_waits_and_it_is_not(portal, broker, wanted):
    distillation_id = portal.distillation(DistillationStatus.AUDITING)
    with portal.database.transaction() as session:
        twins = AuditTwinRepository(session)
        first, second, third = (
            twin.id for twin in twins.find_or_add(distillation_id, 2 * RUNS_AT_ONCE + 1)
        )
        twins.claim(first, owner="dead", seconds=-1)
        twins.claim(third, owner="alive", seconds=60)
    if not wanted:
        portal.steward.post(f"/distillations/{distillation_id}/cancel")
    broker.lose_messages()
    age(portal, AuditTwin)
    age(portal, Distillation)

    sweep(portal.services)

    expected = [("gpu", "run_twins", twin_id) for twin_id in (first, second)]
    assert sorted(broker.messages()) == (sorted(expected) if wanted else [])


def test_an_audit_whose_repetitions_are_done_is_sent_again(portal, broker):
    distillation_id = portal.distillation(DistillationStatus.AUDITING)
    with portal.database.transaction() as session:
        twins = AuditTwinRepository(session)
        [twin] = twins.find_or_add(distillation_id, 2)
        fence = twins.claim(twin.id, owner="test", seconds=60)
        assert not twins.are_done(distillation_id)
        twins.finish(twin.id, fence=fence, status=TwinStatus.DONE)
        assert twins.are_done(distillation_id)
    broker.lose_messages()
    age(portal, AuditTwin)
    age(portal, Distillation)

    sweep(portal.services)

    assert broker.messages() == [("gpu", "audit", distillation_id)]


def test_a_broker_that_is_away_stops_nothing_else(portal_with, tmp_path):
    portal = portal_with(broker_url=f"redis+socket://{tmp_path}/nobody.sock")
    distillation_id = portal.distillation(DistillationStatus.READY)
    age(portal, Distillation)
    portal.distillation()
    age(portal, Distillation)
    with portal.database.transaction() as session:
        distillations = DistillationRepository(session)
        distillations.mark_deleted(distillations.load(distillation_id))

    sweep(portal.services)

    assert portal.row(distillation_id).purged_at is not None


def test_a_step_that_fails_is_said_and_the_others_run(portal, broker, monkeypatch, caplog):
    def finish_cancelling(_portal):  # the first step
        raise ZeroDivisionError

    assert sweep(portal.services) is True
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    broker.lose_messages()
    portal.claim(distillation_id, seconds=-1)
    monkeypatch.setattr(sweeper, "finish_cancelling", finish_cancelling)

    assert sweep(portal.services) is False
    assert "sweeper: finish_cancelling failed, and is tried again" in caplog.text
    assert broker.messages() == [("gpu", "distill", distillation_id)]


def test_every_portal_sweeps_by_itself(portal_with, broker):
    portal = portal_with(sweep_seconds=0.05)
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    broker.lose_messages()
    portal.claim(distillation_id, seconds=-1)

    deadline = time.monotonic() + 10
    while not broker.messages() and time.monotonic() < deadline:
        time.sleep(0.02)

    assert broker.messages() == [("gpu", "distill", distillation_id)]


def test_an_organisation_from_before_there_were_keys_gets_one(portal):
    with portal.database.transaction() as session:
        old = Organisation(name="Old Hospital")
        session.add(old)

    sweep(portal.services)
    sweep(portal.services)

    keys = portal.admin.get(f"/organisations/{old.id}/keys").json()["items"]
    assert len(keys) == 1

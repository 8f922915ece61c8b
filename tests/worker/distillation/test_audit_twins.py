"""Repetitions for an audit in real workers: finished, killed, cancelled and resumed, failing."""

import json
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from app.background.tasks import background_tasks
from app.core.queue import Task, enqueue_after_commit
from app.datasets.purge import purge_derived
from app.distillations.repository import DistillationRepository
from app.models import AuditTwin, DistillationStatus, Event, EventKind, TwinStatus
from iadd.data.image_set import ImageSet
from tests.fixtures.squares import draw_squares
from worker.distillation.parts import joined, parts_of

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

READY = DistillationStatus.READY
AUDITING = DistillationStatus.AUDITING
WHOLE_WAY = ["queued", "teaching", "distilling", "evaluating", "auditing", "packaging", "ready"]
AUDIT = {"audit_calibration_runs": 3, "audit_test_runs": 2, "audit_units": 10, "audit_students": 1}
SEED = "5eed5eed5eed5eed5eed5eed5eed5eed"


@pytest.fixture(scope="module")
def squares() -> ImageSet:
    """60 training images, the least for units."""
    return draw_squares(60, 8, 24)


def twins_of(harness: "WorkerHarness", row_id: str) -> list[AuditTwin]:
    with harness.database.reading() as session:
        return list(
            session.scalars(
                select(AuditTwin)
                .where(AuditTwin.distillation_id == row_id)
                .order_by(AuditTwin.number)
            )
        )


def done(harness: "WorkerHarness", row_id: str) -> int:
    return sum(twin.done for twin in twins_of(harness, row_id))


@pytest.mark.slow
def test_repetitions_are_run_and_the_last_one_sends_the_audit_on(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset = harness.add_dataset(squares, split_by="near_duplicates")
    row_id = harness.add_distillation(dataset, **AUDIT)
    row = harness.wait_for(row_id, READY)

    assert harness.statuses(row_id) == WHOLE_WAY
    twins = twins_of(harness, row_id)
    assert [(twin.number, twin.runs) for twin in twins] == [(0, 4), (4, 1)]
    assert {(twin.status, twin.attempt, twin.done) for twin in twins} == {(TwinStatus.DONE, 1, 100)}
    scores = [one for twin in twins for one in parts_of(harness.stored(twin.object_key))]
    assert len(scores) == 5
    kept = [info.key for info in harness.storage.list(f"distillations/{row_id}/twins")]
    assert sorted(kept) == [twin.object_key for twin in twins]
    privacy = json.loads(harness.stored(row.report_json_key))["privacy"]
    assert privacy["power"]["runs"] == 2
    assert privacy["attempts"] == 1
    assert privacy["power"]["units"] == 10
    with harness.database.reading() as session:
        told = session.scalars(
            select(Event.data)
            .where(Event.distillation_id == row_id, Event.kind == EventKind.PROGRESS)
            .order_by(Event.id)
        ).all()
    runs = [data for data in told if data["phase"] == "auditing" and data["unit"] == "runs"]
    assert runs[-1]["total"] == 5
    assert [data["done"] for data in runs] == sorted(data["done"] for data in runs)
    # A second audit of the dataset says that it is one.
    second = harness.wait_for(harness.add_distillation(dataset), READY)
    assert json.loads(harness.stored(second.report_json_key))["privacy"]["attempts"] == 2
    # Scores of patients' images go with the dataset.
    purge_derived(harness.database, harness.storage, dataset)
    assert twins_of(harness, row_id) == []
    assert list(harness.storage.list(f"distillations/{row_id}/twins")) == []


@pytest.mark.slow
def test_a_killed_worker_costs_a_checkpoint_interval_and_changes_no_score(
    own_harness: "WorkerHarness", squares: ImageSet
) -> None:
    harness = own_harness
    worker = harness.start_worker()
    dataset = harness.add_dataset(squares)
    longer = {**AUDIT, "iterations": 40}
    expected = harness.add_distillation(dataset, private_seed=SEED, **longer)
    harness.wait_for(expected, READY)
    row_id = harness.add_distillation(dataset, private_seed=SEED, **longer)
    with background_tasks(harness.portal):
        harness.until(lambda: done(harness, row_id) >= 20, "a repetition is under way", 120)
        harness.kill_worker(worker)
        assert harness.row(row_id).status == AUDITING
        stored = done(harness, row_id)
        harness.start_worker()
        harness.wait_for(row_id, READY)
    assert stored < 200
    # The teachers were there.
    assert harness.statuses(row_id) == [one for one in WHOLE_WAY if one != "teaching"]
    assert max(twin.attempt for twin in twins_of(harness, row_id)) == 2
    for one, other in zip(twins_of(harness, row_id), twins_of(harness, expected), strict=True):
        assert harness.stored(one.object_key) == harness.stored(other.object_key)


@pytest.mark.slow
def test_a_cancelled_audit_stops_and_a_retry_goes_on_from_what_is_done(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    row_id = harness.add_distillation(harness.add_dataset(squares), **{**AUDIT, "iterations": 40})
    harness.until(lambda: done(harness, row_id) >= 20, "a repetition is under way", 120)
    with harness.database.transaction() as session:
        distillations = DistillationRepository(session)
        distillations.request_cancel(row_id)
        assert distillations.move(row_id, expected=(AUDITING,), to=DistillationStatus.CANCELLED)
    harness.until(
        lambda: all(twin.status != TwinStatus.RUNNING for twin in twins_of(harness, row_id)),
        "no repetition runs",
    )
    assert harness.row(row_id).private_seed is not None
    before = twins_of(harness, row_id)
    with harness.database.transaction() as session:
        DistillationRepository(session).move(
            row_id,
            expected=(DistillationStatus.CANCELLED,),
            to=DistillationStatus.QUEUED,
            cancel_requested_at=None,
        )
        enqueue_after_commit(session, Task.START_DISTILLATION, row_id)
    harness.wait_for(row_id, READY)
    after = twins_of(harness, row_id)
    assert [twin.id for twin in after] == [twin.id for twin in before]
    assert {twin.status for twin in after} == {TwinStatus.DONE}


@pytest.mark.slow
def test_an_audit_of_too_few_units_has_no_repetitions(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    few = ImageSet(squares.images[20:], squares.labels[20:], squares.classes, squares.split[20:])
    row_id = harness.add_distillation(harness.add_dataset(few), **AUDIT)
    harness.wait_for(row_id, DistillationStatus.READY, DistillationStatus.FAILED)
    assert twins_of(harness, row_id) == []


def test_parts_come_apart_as_they_were_joined() -> None:
    assert list(parts_of(joined([b"", b"one", b"\0two"]))) == [b"", b"one", b"\0two"]
    assert list(parts_of(b"")) == []

"""Tasks in real worker processes: repeated, at once, cancelled, failing, interrupted, killed."""

import signal
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from app.background.sweeper import Sweeper
from app.core.clock import utc_now
from app.core.queue import Task, enqueue_after_commit
from app.distillations.repository import DistillationRepository
from app.models import Distillation, DistillationStatus, Event, EventKind, Teacher, TrajectorySet
from iadd.data.image_set import ImageSet

if TYPE_CHECKING:
    from conftest import Bench

READY = DistillationStatus.READY
WHOLE_WAY = ["queued", "teaching", "distilling", "evaluating", "auditing", "packaging", "ready"]


def test_messages_that_come_twice_and_at_once_change_nothing(
    bench: "Bench", squares: ImageSet
) -> None:
    second = bench.start_worker()
    try:
        row_id = bench.add_distillation(bench.add_dataset(squares))
        for _ in range(3):
            bench.send(Task.START_DISTILLATION, row_id)
        bench.wait_for(row_id, DistillationStatus.TEACHING, DistillationStatus.DISTILLING)
        with bench.database.reading() as session:
            set_id = bench.row(row_id).trajectory_set_id
            teachers = session.scalars(
                select(Teacher.id).where(Teacher.trajectory_set_id == set_id)
            ).all()
        for task in (Task.DISTILL, Task.EVALUATE, Task.AUDIT, Task.PACKAGE):
            bench.send(task, row_id)
        for teacher in teachers:
            bench.send(Task.RECORD_TRAJECTORY, teacher)
        row = bench.wait_for(row_id, READY)
        for task in Task:
            bench.send(task, *(teachers[:1] if task == Task.RECORD_TRAJECTORY else [row_id]))
        bench.drained()
    finally:
        bench.kill_worker(second)
    assert bench.statuses(row_id) == WHOLE_WAY
    with bench.database.reading() as session:
        trajectories = session.get_one(TrajectorySet, row.trajectory_set_id)
        assert (trajectories.done_count, trajectories.teachers) == (2, 2)
    assert row.phases["teaching"] == {"done": 8, "total": 8, "unit": "epochs"}
    assert row.phases["distilling"] == {"done": 8, "total": 8, "unit": "iterations"}
    assert row.metrics["balanced_accuracy_full"] > 0.5
    assert bench.leftovers(row_id) == []


def test_distillations_of_a_dataset_share_their_teachers(bench: "Bench", squares: ImageSet) -> None:
    dataset = bench.add_dataset(squares)
    first, second = bench.add_distillation(dataset), bench.add_distillation(dataset, iterations=5)
    rows = [bench.wait_for(row_id, READY) for row_id in (first, second)]
    third = bench.wait_for(bench.add_distillation(dataset, iterations=6), READY)
    assert len({row.trajectory_set_id for row in (*rows, third)}) == 1
    assert "teaching" not in bench.statuses(third.id)
    other_teachers = bench.wait_for(bench.add_distillation(dataset, teacher_epochs=3), READY)
    assert other_teachers.trajectory_set_id != third.trajectory_set_id
    with bench.database.reading() as session:
        teachers = session.scalars(
            select(Teacher).where(Teacher.trajectory_set_id == third.trajectory_set_id)
        ).all()
        assert [teacher.attempt for teacher in teachers] == [1, 1]


def test_a_cancelled_distillation_stops_at_its_next_step_and_goes_on_from_its_checkpoint(
    bench: "Bench", squares: ImageSet
) -> None:
    dataset = bench.add_dataset(squares)
    row_id = bench.add_distillation(dataset, iterations=120)
    undisturbed = bench.add_distillation(dataset, iterations=120)
    bench.until(lambda: bench.progress(row_id, "distilling") >= 10, "ten iterations are done")
    with bench.database.transaction() as session:
        DistillationRepository(session).request_cancel(row_id)
    row = bench.wait_for(row_id, DistillationStatus.CANCELLED, seconds=10)
    done = row.phases["distilling"]["done"]
    assert 10 <= done < 120
    assert row.checkpoint_key is not None

    with bench.database.transaction() as session:
        DistillationRepository(session).move(
            row_id,
            expected=(DistillationStatus.CANCELLED,),
            to=DistillationStatus.QUEUED,
            cancel_requested_at=None,
        )
        enqueue_after_commit(session, Task.START_DISTILLATION, row_id)
    row = bench.wait_for(row_id, READY)
    with bench.database.reading() as session:
        reports = session.scalars(
            select(Event)
            .where(Event.distillation_id == row_id, Event.kind == EventKind.PROGRESS)
            .order_by(Event.id)
        ).all()
    counts = [event.data["done"] for event in reports if event.data["phase"] == "distilling"]
    assert counts.count(1) == 1, "it began anew"
    assert bench.stored(row.distilled_key) == bench.stored(
        bench.wait_for(undisturbed, READY).distilled_key
    )


def test_settings_that_do_not_fit_fail_with_a_problem_that_says_so(
    bench: "Bench", squares: ImageSet
) -> None:
    row_id = bench.add_distillation(bench.add_dataset(squares), k_mean_images=100)
    row = bench.wait_for(row_id, DistillationStatus.FAILED)
    assert row.problem is not None
    assert row.problem["type"].endswith("unfit-settings")
    assert "'dark' has 20 training images" in row.problem["detail"]
    assert "checkpoint are kept" in row.problem["detail"]
    assert "Traceback" not in str(row.problem)
    assert row.lease_owner is None


def test_a_dataset_without_images_fails_at_once(bench: "Bench", squares: ImageSet) -> None:
    dataset = bench.add_dataset(squares)
    bench.storage.delete_folder(f"datasets/{dataset}")
    row = bench.wait_for(bench.add_distillation(dataset), DistillationStatus.FAILED)
    assert row.problem is not None
    assert row.problem["type"].endswith("objects-missing")
    # A teacher's failure fails the set; a retry takes it up again.
    bench.storage.put(f"datasets/{dataset}/images.safetensors", squares.to_bytes())
    with bench.database.transaction() as session:
        DistillationRepository(session).move(
            row.id,
            expected=(DistillationStatus.FAILED,),
            to=DistillationStatus.QUEUED,
            problem=None,
        )
        enqueue_after_commit(session, Task.START_DISTILLATION, row.id)
    bench.wait_for(row.id, READY)


def test_a_row_that_takes_its_workers_down_fails_in_the_end(
    bench: "Bench", squares: ImageSet
) -> None:
    dataset = bench.add_dataset(squares)
    with bench.database.transaction() as session:
        row = DistillationRepository(session).add(
            Distillation(
                organisation_id=bench.organisation_id,
                dataset_id=dataset,
                preset="cpu_demo",
                images_per_class=2,
                initialisation="k_mean",
                seed=0,
                lease_owner="a worker that died",
                lease_expires_at=utc_now(),
                takeovers=4,
            )
        )
        enqueue_after_commit(session, Task.START_DISTILLATION, row.id)
    failed = bench.wait_for(row.id, DistillationStatus.FAILED)
    assert failed.problem is not None
    assert failed.problem["type"].endswith("worker-lost")
    assert "5 workers" in failed.problem["detail"]


@pytest.mark.slow
def test_a_worker_that_stops_leaves_its_work_to_the_next(
    own_bench: "Bench", squares: ImageSet
) -> None:
    bench = own_bench
    row_id = bench.add_distillation(bench.add_dataset(squares), iterations=100)
    worker = bench.start_worker()
    bench.until(lambda: bench.progress(row_id, "distilling") >= 5, "five iterations are done")
    began = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    worker.wait(timeout=30)
    assert time.monotonic() - began < 10
    row = bench.row(row_id)
    assert row.status == DistillationStatus.DISTILLING
    assert row.lease_expires_at is None
    assert row.phases["distilling"]["done"] < 100
    bench.start_worker()
    assert bench.wait_for(row_id, READY).takeovers == 0


@pytest.mark.slow
def test_killed_workers_cost_a_checkpoint_interval_and_change_no_bit(
    own_bench: "Bench", squares: ImageSet
) -> None:
    bench = own_bench
    worker = bench.start_worker()
    undisturbed = bench.add_distillation(
        bench.add_dataset(squares), teacher_epochs=40, iterations=60
    )
    expected = bench.wait_for(undisturbed, READY)

    row_id = bench.add_distillation(bench.add_dataset(squares), teacher_epochs=40, iterations=60)
    with Sweeper(bench.portal):
        for phase, seen in (("teaching", 5), ("distilling", 10)):
            bench.until(lambda: bench.progress(row_id, phase) >= seen, f"{phase} is under way")  # noqa: B023 (called at once)
            bench.kill_worker(worker)
            assert bench.row(row_id).status == phase
            worker = bench.start_worker()
        row = bench.wait_for(row_id, READY)
    assert bench.statuses(row_id) == WHOLE_WAY
    assert bench.stored(row.distilled_key) == bench.stored(expected.distilled_key)
    assert bench.leftovers(row_id) == []
    assert list((bench.folder / "scratch").glob("*/*")) == []
    with bench.database.reading() as session:
        done = session.scalars(
            select(Event.data)
            .where(Event.distillation_id == row_id, Event.kind == EventKind.PROGRESS)
            .order_by(Event.id)
        ).all()
    counts = [data["done"] for data in done if data["phase"] == "distilling"]
    assert counts.count(1) == 1, "it began anew"

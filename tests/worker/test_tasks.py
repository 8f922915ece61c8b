"""Tasks in real worker processes: repeated, at once, cancelled, failing, interrupted, killed."""

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

import iadd
from app.background.tasks import background_tasks
from app.core.clock import utc_now
from app.core.queue import Task, enqueue_after_commit
from app.distillations.repository import DistillationRepository
from app.models import Distillation, DistillationStatus, Event, EventKind, Teacher
from app.signing.verify import verify_bundle
from iadd.data.image_set import ImageSet

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

READY = DistillationStatus.READY
SEED = "5eed5eed5eed5eed5eed5eed5eed5eed"
WHOLE_WAY = ["queued", "teaching", "distilling", "evaluating", "auditing", "packaging", "ready"]


def test_a_job_goes_the_whole_way_to_a_verified_bundle(
    harness: "WorkerHarness", squares: ImageSet, tmp_path: Path
) -> None:
    row_id = harness.add_distillation(harness.add_dataset(squares))
    row = harness.wait_for(row_id, READY)
    assert harness.statuses(row_id) == WHOLE_WAY
    assert row.problem is None
    assert row.verdict in ("refuted", "inconclusive")  # seconds give no power
    assert row.phases["distilling"] == {"done": 8, "total": 8, "unit": "iterations"}

    path = tmp_path / "bundle.zip"
    path.write_bytes(harness.stored(row.bundle_key))
    assert verify_bundle(path).exit_code == 0
    bundle = iadd.load_bundle(path)
    assert bundle.images.shape == (4, 1, 16, 16)
    assert bundle.labels.tolist() == [0, 0, 1, 1]
    assert bundle.importance_weights is None

    report = json.loads(harness.stored(row.report_json_key))
    assert (report["randomness"], report["image_format"]) == ("secret", "8bit")
    assert set(report["utility"]) == {"distilled", "start", "random", "full"}
    assert report["utility"]["full"]["balanced_accuracy"]["n"] == 2
    assert report["privacy"]["verdict"] == row.verdict
    page = harness.stored(row.report_html_key).decode()
    assert "<html" in page
    assert "anonym" not in page.lower()


@pytest.mark.slow
def test_distillations_of_a_dataset_share_their_teachers(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset = harness.add_dataset(squares)
    first, second = (
        harness.add_distillation(dataset),
        harness.add_distillation(dataset, iterations=5),
    )
    rows = [harness.wait_for(row_id, READY) for row_id in (first, second)]
    third = harness.wait_for(harness.add_distillation(dataset, iterations=6), READY)
    assert len({row.trajectory_set_id for row in (*rows, third)}) == 1
    assert "teaching" not in harness.statuses(third.id)
    other_teachers = harness.wait_for(harness.add_distillation(dataset, teacher_epochs=3), READY)
    assert other_teachers.trajectory_set_id != third.trajectory_set_id
    with harness.database.reading() as session:
        teachers = session.scalars(
            select(Teacher).where(Teacher.trajectory_set_id == third.trajectory_set_id)
        ).all()
        assert [teacher.attempt for teacher in teachers] == [1, 1]


@pytest.mark.slow
def test_a_cancelled_distillation_stops_at_its_next_step_and_goes_on_from_its_checkpoint(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset = harness.add_dataset(squares)
    row_id = harness.add_distillation(dataset, private_seed=SEED, iterations=120)
    undisturbed = harness.add_distillation(dataset, private_seed=SEED, iterations=120)
    harness.until(lambda: harness.progress(row_id, "distilling") >= 10, "ten iterations are done")
    with harness.database.transaction() as session:
        DistillationRepository(session).request_cancel(row_id)
    row = harness.wait_for(row_id, DistillationStatus.CANCELLED, seconds=10)
    done = row.phases["distilling"]["done"]
    assert 10 <= done < 120
    assert row.checkpoint_key is not None

    with harness.database.transaction() as session:
        DistillationRepository(session).move(
            row_id,
            expected=(DistillationStatus.CANCELLED,),
            to=DistillationStatus.QUEUED,
            cancel_requested_at=None,
        )
        enqueue_after_commit(session, Task.START_DISTILLATION, row_id)
    row = harness.wait_for(row_id, READY)
    with harness.database.reading() as session:
        reports = session.scalars(
            select(Event)
            .where(Event.distillation_id == row_id, Event.kind == EventKind.PROGRESS)
            .order_by(Event.id)
        ).all()
    counts = [event.data["done"] for event in reports if event.data["phase"] == "distilling"]
    assert counts.count(1) == 1, "it began anew"
    assert harness.stored(row.distilled_key) == harness.stored(
        harness.wait_for(undisturbed, READY).distilled_key
    )


def test_settings_that_do_not_fit_fail_with_a_problem_that_says_so(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    row_id = harness.add_distillation(harness.add_dataset(squares), k_mean_images=100)
    row = harness.wait_for(row_id, DistillationStatus.FAILED)
    assert row.problem is not None
    assert row.problem["type"].endswith("unfit-settings")
    assert "'dark' has 20 training images" in row.problem["detail"]
    assert "checkpoint are kept" in row.problem["detail"]
    assert "Traceback" not in str(row.problem)
    assert row.lease_owner is None


def test_a_dataset_without_images_fails_at_once(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset = harness.add_dataset(squares)
    harness.storage.delete_folder(f"datasets/{dataset}")
    row = harness.wait_for(harness.add_distillation(dataset), DistillationStatus.FAILED)
    assert row.problem is not None
    assert row.problem["type"].endswith("objects-missing")
    # A teacher's failure fails the set; a retry takes it up again.
    harness.storage.put(f"datasets/{dataset}/images.safetensors", squares.to_bytes())
    with harness.database.transaction() as session:
        DistillationRepository(session).move(
            row.id,
            expected=(DistillationStatus.FAILED,),
            to=DistillationStatus.QUEUED,
            problem=None,
        )
        enqueue_after_commit(session, Task.START_DISTILLATION, row.id)
    harness.wait_for(row.id, READY)


def test_a_row_that_takes_its_workers_down_fails_in_the_end(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset = harness.add_dataset(squares)
    with harness.database.transaction() as session:
        row = DistillationRepository(session).add(
            Distillation(
                organisation_id=harness.organisation_id,
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
    failed = harness.wait_for(row.id, DistillationStatus.FAILED)
    assert failed.problem is not None
    assert failed.problem["type"].endswith("worker-lost")
    assert "5 workers" in failed.problem["detail"]


@pytest.mark.slow
def test_a_worker_that_stops_leaves_its_work_to_the_next(
    own_harness: "WorkerHarness", squares: ImageSet
) -> None:
    harness = own_harness
    row_id = harness.add_distillation(harness.add_dataset(squares), iterations=100)
    worker = harness.start_worker()
    harness.until(lambda: harness.progress(row_id, "distilling") >= 5, "five iterations are done")
    worker.send_signal(signal.SIGTERM)
    worker.wait(timeout=120)
    row = harness.row(row_id)
    assert row.status == DistillationStatus.DISTILLING
    assert row.lease_expires_at is None
    assert row.phases["distilling"]["done"] < 100
    harness.start_worker()
    assert harness.wait_for(row_id, READY).takeovers == 0


@pytest.mark.slow
def test_killed_workers_cost_a_checkpoint_interval_and_change_no_bit(
    own_harness: "WorkerHarness", squares: ImageSet
) -> None:
    harness = own_harness
    worker = harness.start_worker()
    undisturbed = harness.add_distillation(
        harness.add_dataset(squares), private_seed=SEED, teacher_epochs=40, iterations=60
    )
    expected = harness.wait_for(undisturbed, READY)

    row_id = harness.add_distillation(
        harness.add_dataset(squares), private_seed=SEED, teacher_epochs=40, iterations=60
    )
    with background_tasks(harness.portal):
        for phase, seen in (("teaching", 5), ("distilling", 10)):
            harness.until(lambda: harness.progress(row_id, phase) >= seen, f"{phase} is under way")  # noqa: B023 (called at once)
            harness.kill_worker(worker)
            assert harness.row(row_id).status == phase
            worker = harness.start_worker()
        row = harness.wait_for(row_id, READY)
    assert harness.statuses(row_id) == WHOLE_WAY
    assert harness.stored(row.distilled_key) == harness.stored(expected.distilled_key)
    assert harness.leftovers(row_id) == []
    assert list((harness.folder / "scratch").glob("*/*")) == []
    with harness.database.reading() as session:
        done = session.scalars(
            select(Event.data)
            .where(Event.distillation_id == row_id, Event.kind == EventKind.PROGRESS)
            .order_by(Event.id)
        ).all()
    counts = [data["done"] for data in done if data["phase"] == "distilling"]
    assert counts.count(1) == 1, "it began anew"

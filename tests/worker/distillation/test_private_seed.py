"""What touched the images cannot be repeated from anything that is published or kept."""

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest
import torch

from app.core.queue import Task, enqueue_after_commit
from app.distillations.repository import DistillationRepository
from app.distillations.trajectory_sets import TrajectorySetRepository
from app.models import Distillation, DistillationStatus, Randomness, Teacher, TrajectorySet
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.distillation.initialisation import initialise
from worker.distillation.secrets import SeedForgottenError, audit_secret_of, private_seed_of
from worker.distillation.steps import teachers_key

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

READY = DistillationStatus.READY
SEED = "5eed5eed5eed5eed5eed5eed5eed5eed"


def start_of(squares, distilled, config):
    images, _ = initialise(squares.part("train"), distilled.normalisation, config)
    return images


@pytest.mark.slow
def test_a_finished_run_is_not_repeated_from_what_is_published(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset = harness.add_dataset(squares)
    row = harness.wait_for(harness.add_distillation(dataset, private_seed=SEED), READY)

    distilled = DistilledDataset.from_bytes(harness.stored(row.distilled_key))
    published = Config.from_dict(json.loads(harness.stored(row.report_json_key))["settings"])
    assert distilled.initial_images is not None
    secret = published.with_private_seed(int(SEED, 16))
    assert torch.equal(start_of(squares, distilled, secret), distilled.initial_images)
    again = start_of(squares, distilled, published)
    assert not any(torch.equal(one, other) for one in again for other in distilled.initial_images)
    assert row.private_seed is None
    with harness.database.reading() as session:
        trajectories = session.get_one(TrajectorySet, row.trajectory_set_id)
        assert trajectories.private_seed is None
        assert trajectories.randomness == Randomness.SECRET
    report = json.loads(harness.stored(row.report_json_key))
    assert (report["randomness"], report["image_format"]) == ("secret", "8bit")
    with pytest.raises(SeedForgottenError):
        private_seed_of(row)


@pytest.mark.slow
def test_the_secret_is_kept_in_no_object_row_or_log(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    row_id = harness.add_distillation(harness.add_dataset(squares), private_seed=SEED)
    audit_secret = audit_secret_of(harness.row(row_id))
    harness.wait_for(row_id, READY)

    forms = [SEED, str(int(SEED, 16)), str(audit_secret), f"{audit_secret:x}"]
    kept = b"".join(harness.storage.get(info.key) for info in harness.storage.list(""))
    database = sqlite3.connect(harness.folder / "exchange.db")
    rows = "\n".join(database.iterdump())
    database.close()
    assert row_id in rows
    assert row_id in harness.logs()
    for form in forms:
        assert form.encode() not in kept
        assert form not in rows
        assert form not in harness.logs()


@pytest.mark.slow
def test_teachers_of_the_published_seed_serve_only_what_goes_on_from_before(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset = harness.add_dataset(squares)
    first = harness.wait_for(harness.add_distillation(dataset), READY)
    assert first.settings is not None
    config = Config.from_dict(first.settings)
    with harness.database.transaction() as session:
        # As an earlier version left them.
        old = session.get_one(TrajectorySet, first.trajectory_set_id)
        old.teacher_key = teachers_key(config, Randomness.PUBLISHED)
        old.randomness = Randomness.PUBLISHED
    second = harness.wait_for(harness.add_distillation(dataset), READY)
    assert second.trajectory_set_id != first.trajectory_set_id
    # A queued one of an earlier version has drawn nothing yet, and gets a secret.
    with harness.database.transaction() as session:
        row = DistillationRepository(session).add(
            Distillation(
                organisation_id=harness.organisation_id,
                dataset_id=dataset,
                preset="cpu_demo",
                images_per_class=2,
                initialisation="noise",
                seed=7,
                overrides=harness.row(first.id).overrides,
                randomness=Randomness.PUBLISHED,
            )
        )
        row.private_seed = None
        enqueue_after_commit(session, Task.START_DISTILLATION, row.id)
    queued = harness.wait_for(row.id, READY)
    assert queued.randomness == Randomness.SECRET
    assert queued.trajectory_set_id == second.trajectory_set_id


def test_a_run_never_falls_back_to_the_published_seed() -> None:
    row = Distillation(id="dl_1", randomness=Randomness.SECRET, private_seed=None)
    with pytest.raises(SeedForgottenError):
        private_seed_of(row)
    assert private_seed_of(Distillation(randomness=Randomness.PUBLISHED)) is None


def test_what_is_left_of_a_failed_set_draws_from_a_new_secret(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset = harness.add_dataset(squares)
    with harness.database.transaction() as session:
        sets = TrajectorySetRepository(session)
        made = sets.find_or_add(dataset, "key", config={}, teachers=2)
        before, teachers = made.private_seed, sets.teachers(made.id)
        teachers[0].partial_key = "trajectories/partial"
        session.flush()
        sets.mark_failed(made.id)
    with harness.database.transaction() as session:
        sets = TrajectorySetRepository(session)
        assert session.get_one(TrajectorySet, made.id).private_seed is None
        sets.reset_failed(made.id)
        now = session.get_one(TrajectorySet, made.id, populate_existing=True).private_seed
        assert now is not None
        assert now != before
        assert session.get_one(Teacher, teachers[0].id, populate_existing=True).partial_key is None

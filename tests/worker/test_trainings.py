"""Trainings on releases, with real workers."""

from typing import TYPE_CHECKING, Any

import pytest
import torch

from app.core.clock import utc_now
from app.core.ids import new_id
from app.core.queue import Task
from app.models import (
    Acceptance,
    Distillation,
    DistillationStatus,
    Grant,
    Organisation,
    OrganisationKey,
    Release,
    Training,
    TrainingStatus,
    User,
    Verdict,
)
from app.models.release import ReleaseClass
from iadd.bundle.bundle import write_bundle
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

CONFIG = Config().override(
    {
        "image_size": 16,
        "depth": 2,
        "width": 8,
        "images_per_class": 2,
        "evaluation_networks": 2,
        "evaluation_epochs": 3,
        "baseline_lrs": [0.01],
        "full_epochs": 1,
    }
)


def released(harness: "WorkerHarness", squares: ImageSet, owner: str, dataset_id: str) -> str:
    """A release of two images of each class, with a real bundle."""
    train = squares.part("train")
    chosen = torch.tensor([0, 2, 1, 3])
    path = harness.folder / f"{new_id('b')}.zip"
    figure = {"mean": 0.75, "std": 0.01, "n": 5}
    figures = {"balanced_accuracy": figure, "accuracy": figure}
    normalisation = Normalisation((0.4,), (0.2,))
    write_bundle(
        path,
        DistilledDataset(
            images=normalisation.apply(train.images[chosen]),
            labels=train.labels[chosen],
            classes=("DARK", "Light"),
            syn_lr=0.02,
            importance_weights=None,
            history=History(),
            config=CONFIG,
            normalisation=normalisation,
            initial_images=None,
            best_iteration=0,
        ),
        report_html=b"<!doctype html>",
        report_json={
            "dataset": {"name": "squares"},
            "versions": {},
            "utility": dict.fromkeys(("distilled", "random", "full"), figures),
            "privacy": {"statement": "Not refuted."},
        },
    )
    with harness.database.transaction() as session:
        distillation = Distillation(
            organisation_id=owner,
            dataset_id=dataset_id,
            preset="cpu_demo",
            images_per_class=2,
            initialisation="k_mean",
            seed=0,
            status=DistillationStatus.READY,
        )
        key = OrganisationKey(organisation_id=owner, public_key=new_id("public"))
        session.add_all([distillation, key])
        session.flush()
        release = Release(
            organisation_id=owner,
            distillation_id=distillation.id,
            number=1,
            title="Squares",
            summary="",
            card="",
            terms_template="research_only",
            terms_text="",
            terms_sha256="0" * 64,
            duo_codes=[],
            contact="",
            citation="",
            modality="squares",
            images=4,
            images_per_class=2,
            image_size=16,
            balanced_accuracy=None,
            verdict=Verdict.NOT_REFUTED,
            facts={},
            decision={},
            bundle_key=f"releases/{new_id('r')}/bundle.zip",
            bundle_sha256="0" * 64,
            fingerprint="0" * 64,
            bundle_size=path.stat().st_size,
            key_id=key.id,
            published_by="Dr. Grey",
        )
        session.add(release)
        session.flush()
        for position, name in enumerate(("DARK", "Light")):
            session.add(ReleaseClass(release_id=release.id, position=position, name=name))
    harness.storage.put(release.bundle_key, path)
    return release.id


def begin(harness: "WorkerHarness", dataset_id: str, release_id: str, **values: Any) -> str:
    training = Training(
        organisation_id=harness.organisation_id,
        dataset_id=dataset_id,
        release_ids=[release_id],
        rows=["own", "received", "both"],
        networks=2,
        seed=0,
        **values,
    )
    with harness.database.transaction() as session:
        session.add(training)
    return training.id


def ended(harness: "WorkerHarness", training_id: str, *statuses: TrainingStatus) -> Training:
    def row() -> Training:
        with harness.database.reading() as session:
            return session.get_one(Training, training_id)

    harness.until(
        lambda: row().status in (*statuses, TrainingStatus.FAILED),
        f"{training_id} is {' or '.join(statuses)}",
        seconds=90,
    )
    found = row()
    assert found.status in statuses, f"{found.problem}\n{harness.logs()}"
    return found


def test_names_are_proposed_confirmed_and_trained_on(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset_id = harness.add_dataset(squares)
    release_id = released(harness, squares, harness.organisation_id, dataset_id)
    training_id = begin(harness, dataset_id, release_id, status=TrainingStatus.PROPOSING)
    harness.send(Task.PROPOSE_CLASS_MAPS, training_id)

    proposed = ended(harness, training_id, TrainingStatus.PROPOSED)
    assert proposed.class_maps == {release_id: {"DARK": "dark", "Light": "light"}}

    with harness.database.transaction() as session:
        session.get_one(Training, training_id).status = TrainingStatus.QUEUED
    harness.send(Task.TRAIN, training_id)
    ready = ended(harness, training_id, TrainingStatus.READY)

    assert ready.result is not None
    rows = ready.result["table"]["rows"]
    assert list(rows) == ["own", "received", "both"]
    assert all(row["balanced_accuracy"]["n"] == 2 for row in rows.values())
    assert ready.result["score"]["test_images"] == {"dark": 5, "light": 5}
    assert ready.progress is not None
    assert ready.progress["done"] > 0
    assert ready.finished_at is not None


def test_a_class_map_to_a_single_class_fails_with_a_problem(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset_id = harness.add_dataset(squares)
    release_id = released(harness, squares, harness.organisation_id, dataset_id)
    maps = {release_id: {"DARK": None, "Light": "light"}}
    training_id = begin(
        harness, dataset_id, release_id, status=TrainingStatus.QUEUED, class_maps=maps
    )
    harness.send(Task.TRAIN, training_id)

    failed = ended(harness, training_id, TrainingStatus.FAILED)

    assert failed.problem is not None
    assert failed.problem["type"].endswith(":sets-do-not-fit")
    assert "two classes" in failed.problem["detail"]


@pytest.mark.parametrize("revoked", [False, True])
def test_a_worker_asks_again_whether_the_release_may_be_had(
    harness: "WorkerHarness", squares: ImageSet, revoked: bool
) -> None:
    dataset_id = harness.add_dataset(squares)
    with harness.database.transaction() as session:
        owner = Organisation(name=new_id("owner"))
        session.add(owner)
        session.flush()
        person = User(
            organisation_id=harness.organisation_id,
            email=f"{new_id('x')}@hospital.example",
            name="Dr. Grey",
            role_names=["researcher"],
        )
        session.add(person)
    release_id = released(harness, squares, owner.id, dataset_id)
    with harness.database.transaction() as session:
        grant = Grant(
            release_id=release_id,
            owner_id=owner.id,
            organisation_id=harness.organisation_id,
            granted_by="Prof. Owner",
            revoked_at=utc_now() if revoked else None,
        )
        session.add(grant)
        session.flush()
        accepted = Acceptance(
            grant_id=grant.id,
            user_id=person.id,
            name=person.name,
            email=person.email,
            accepted_at=utc_now(),
            terms_sha256="0" * 64,
            terms_text="",
        )
        session.add(accepted)
    training_id = begin(harness, dataset_id, release_id, status=TrainingStatus.PROPOSING)
    harness.send(Task.PROPOSE_CLASS_MAPS, training_id)

    if not revoked:
        ended(harness, training_id, TrainingStatus.PROPOSED)
        return
    failed = ended(harness, training_id, TrainingStatus.FAILED)
    assert failed.problem is not None
    assert failed.problem["type"].endswith(":no-access")


def test_a_training_that_is_not_wanted_stops(harness: "WorkerHarness", squares: ImageSet) -> None:
    dataset_id = harness.add_dataset(squares)
    release_id = released(harness, squares, harness.organisation_id, dataset_id)
    maps = {release_id: {"DARK": "dark", "Light": "light"}}
    training_id = begin(
        harness,
        dataset_id,
        release_id,
        status=TrainingStatus.QUEUED,
        class_maps=maps,
        cancel_requested_at=utc_now(),
    )
    harness.send(Task.TRAIN, training_id)
    assert ended(harness, training_id, TrainingStatus.CANCELLED).result is None


@pytest.mark.slow
def test_a_killed_worker_leaves_the_training_to_the_next(
    own_harness: "WorkerHarness", squares: ImageSet
) -> None:
    harness = own_harness
    dataset_id = harness.add_dataset(squares)
    release_id = released(harness, squares, harness.organisation_id, dataset_id)
    maps = {release_id: {"DARK": "dark", "Light": "light"}}
    training_id = begin(
        harness, dataset_id, release_id, status=TrainingStatus.QUEUED, class_maps=maps
    )
    first = harness.start_worker()
    harness.send(Task.TRAIN, training_id)

    def row() -> Training:
        with harness.database.reading() as session:
            return session.get_one(Training, training_id)

    harness.until(lambda: row().status != TrainingStatus.QUEUED, "the training has begun")
    harness.kill_worker(first)
    harness.start_worker()
    from app.background.sweeper import sweep

    def swept() -> bool:
        sweep(harness.portal)
        return row().status == TrainingStatus.READY

    harness.until(swept, "the next worker has finished it", seconds=90)

"""Deleting a dataset removes what it stored, and nothing that somebody still works on."""

import pytest

from app.background.sweeper import sweep
from app.core import leases
from app.core.leases import LeaseLost
from app.datasets.repository import DatasetRepository
from app.distillations.trajectory_sets import TrajectorySetRepository
from app.models import ACTIVE, Dataset, DistillationStatus


def test_every_object_of_it_is_gone(portal):
    dataset_id = portal.ready_dataset()
    with portal.database.transaction() as session:
        taught = TrajectorySetRepository(session).find_or_add(
            dataset_id, "key", config={}, teachers=2
        )
    portal.storage.put(f"trajectories/{taught.id}/teacher-0000.safetensors", b"weights")
    other = portal.ready_dataset()

    assert portal.steward.delete(f"/datasets/{dataset_id}").status_code == 204

    assert portal.stored(f"datasets/{dataset_id}") == []
    assert portal.stored("trajectories") == []
    assert len(portal.stored(f"datasets/{other}")) == 7
    assert portal.steward.get(f"/datasets/{dataset_id}").status_code == 404
    listed = portal.steward.get("/datasets").json()["items"]
    assert [item["id"] for item in listed] == [other]


def test_private_objects_of_its_distillations_go_and_results_stay(portal):
    distillation_id = portal.ready_distillation()
    dataset_id = portal.row(distillation_id).dataset_id

    assert portal.steward.delete(f"/datasets/{dataset_id}").status_code == 204

    names = [key.rpartition("/")[2] for key in portal.stored(f"distillations/{distillation_id}")]
    assert names == ["bundle.zip", "report.html", "report.json", "report.pdf"]
    assert portal.steward.get(f"/distillations/{distillation_id}/bundle").status_code == 200


def test_a_distillation_that_never_got_ready_keeps_nothing(portal):
    distillation_id = portal.distillation(DistillationStatus.FAILED)
    portal.storage.put(f"distillations/{distillation_id}/checkpoints/3.safetensors", b"half")
    dataset_id = portal.row(distillation_id).dataset_id

    assert portal.steward.delete(f"/datasets/{dataset_id}").status_code == 204

    assert portal.stored(f"distillations/{distillation_id}") == []
    again = portal.steward.post(f"/distillations/{distillation_id}/retry")
    assert again.status_code == 409
    assert again.json()["type"] == "urn:iadd-exchange:problem:dataset-deleted"


@pytest.mark.parametrize("status", ACTIVE)
def test_refused_while_a_distillation_runs(portal, status):
    distillation_id = portal.distillation(status)
    dataset_id = portal.row(distillation_id).dataset_id
    before = portal.stored("datasets")

    reply = portal.steward.delete(f"/datasets/{dataset_id}")

    assert reply.status_code == 409
    assert reply.json()["distillations"] == [distillation_id]
    assert portal.stored("datasets") == before
    portal.steward.post(f"/distillations/{distillation_id}/cancel")
    assert portal.steward.delete(f"/datasets/{dataset_id}").status_code == 204


def test_refused_while_its_archive_is_checked(portal):
    dataset_id = portal.uploaded_dataset()

    assert portal.steward.delete(f"/datasets/{dataset_id}").status_code == 409
    assert portal.stored(f"datasets/{dataset_id}") != []


def test_a_worker_that_wakes_up_later_cannot_write(portal):
    dataset_id = portal.ready_dataset()
    with portal.database.reading() as session:
        fence = DatasetRepository(session).load(dataset_id).fence
    portal.steward.delete(f"/datasets/{dataset_id}")

    with pytest.raises(LeaseLost), portal.database.transaction() as session:
        leases.write(session, Dataset, dataset_id, fence=fence, size=1)


def test_the_sweeper_finishes_what_a_dying_portal_began(portal):
    dataset_id = portal.ready_dataset()
    with portal.database.transaction() as session:
        datasets = DatasetRepository(session)
        datasets.mark_deleted(datasets.load(dataset_id))
    assert portal.stored(f"datasets/{dataset_id}") != []

    sweep(portal.services)

    assert portal.stored(f"datasets/{dataset_id}") == []
    with portal.database.reading() as session:
        assert DatasetRepository(session).to_purge() == []

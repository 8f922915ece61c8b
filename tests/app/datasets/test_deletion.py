"""Deleting a dataset removes what it stored, and nothing that somebody still works on."""

import pytest

from app.background.sweeper import sweep
from app.core import leases
from app.core.leases import LeaseLost
from app.datasets.repository import DatasetRepository
from app.distillations.trajectory_sets import TrajectorySetRepository
from app.models import ACTIVE, Dataset, DistillationStatus


def test_every_object_of_it_is_gone(house):
    dataset_id = house.ready_dataset()
    with house.database.transaction() as session:
        taught = TrajectorySetRepository(session).find_or_add(
            dataset_id, "key", config={}, teachers=2
        )
    house.storage.put(f"trajectories/{taught.id}/teacher-0000.safetensors", b"weights")
    other = house.ready_dataset()

    assert house.steward.delete(f"/datasets/{dataset_id}").status_code == 204

    assert house.stored(f"datasets/{dataset_id}") == []
    assert house.stored("trajectories") == []
    assert len(house.stored(f"datasets/{other}")) == 4
    assert house.steward.get(f"/datasets/{dataset_id}").status_code == 404
    listed = house.steward.get("/datasets").json()["items"]
    assert [item["id"] for item in listed] == [other]


def test_private_objects_of_its_distillations_go_and_results_stay(house):
    distillation_id = house.ready_distillation()
    dataset_id = house.row(distillation_id).dataset_id

    assert house.steward.delete(f"/datasets/{dataset_id}").status_code == 204

    names = [key.rpartition("/")[2] for key in house.stored(f"distillations/{distillation_id}")]
    assert names == ["bundle.zip", "report.html", "report.json", "report.pdf"]
    assert house.steward.get(f"/distillations/{distillation_id}/bundle").status_code == 200


def test_a_distillation_that_never_got_ready_keeps_nothing(house):
    distillation_id = house.distillation(DistillationStatus.FAILED)
    house.storage.put(f"distillations/{distillation_id}/checkpoints/3.safetensors", b"half")
    dataset_id = house.row(distillation_id).dataset_id

    assert house.steward.delete(f"/datasets/{dataset_id}").status_code == 204

    assert house.stored(f"distillations/{distillation_id}") == []
    again = house.steward.post(f"/distillations/{distillation_id}/retry")
    assert again.status_code == 409
    assert again.json()["type"] == "urn:iadd-exchange:problem:dataset-deleted"


@pytest.mark.parametrize("status", ACTIVE)
def test_refused_while_a_distillation_runs(house, status):
    distillation_id = house.distillation(status)
    dataset_id = house.row(distillation_id).dataset_id
    before = house.stored("datasets")

    reply = house.steward.delete(f"/datasets/{dataset_id}")

    assert reply.status_code == 409
    assert reply.json()["distillations"] == [distillation_id]
    assert house.stored("datasets") == before
    house.steward.post(f"/distillations/{distillation_id}/cancel")
    assert house.steward.delete(f"/datasets/{dataset_id}").status_code == 204


def test_refused_while_its_archive_is_checked(house):
    dataset_id = house.uploaded_dataset()

    assert house.steward.delete(f"/datasets/{dataset_id}").status_code == 409
    assert house.stored(f"datasets/{dataset_id}") != []


def test_a_worker_that_wakes_up_later_cannot_write(house):
    dataset_id = house.ready_dataset()
    with house.database.reading() as session:
        fence = DatasetRepository(session).load(dataset_id).fence
    house.steward.delete(f"/datasets/{dataset_id}")

    with pytest.raises(LeaseLost), house.database.transaction() as session:
        leases.write(session, Dataset, dataset_id, fence=fence, size=1)


def test_the_sweeper_finishes_what_a_dying_portal_began(house):
    dataset_id = house.ready_dataset()
    with house.database.transaction() as session:
        datasets = DatasetRepository(session)
        datasets.mark_deleted(datasets.load(dataset_id))
    assert house.stored(f"datasets/{dataset_id}") != []

    sweep(house.portal)

    assert house.stored(f"datasets/{dataset_id}") == []
    with house.database.reading() as session:
        assert DatasetRepository(session).to_purge() == []

"""How much an organisation may store and run."""

import pytest

from app.core.security import Role
from app.models import DistillationStatus
from tests.fixtures.clients import problem


@pytest.fixture
def limit(portal):
    """`limit(datasets=1)` as the operator sets it."""
    operator = portal.member(portal.elsewhere_id, Role.OPERATOR)

    def limit(**quota):
        path = f"/organisations/{portal.organisation_id}"
        reply = operator.request("PATCH", path, json={"quota": quota})
        assert reply.status_code == 200, reply.text
        return reply.json()["quota"]

    return limit


def test_what_is_not_named_stays_as_it_was(limit):
    limit(datasets=1, stored_bytes=100)

    assert limit(running=2) == {
        "stored_bytes": 100,
        "datasets": 1,
        "running": 2,
        "gpu_hours": None,
    }


def test_no_more_datasets_than_allowed(portal, limit):
    limit(datasets=1)
    dataset = portal.new_dataset()

    refused = portal.steward.post("/datasets", json={"name": "chest"})

    assert problem(refused) == (409, "quota-exceeded")
    assert refused.json()["limit"] == 1
    assert portal.stranger.post("/datasets", json={"name": "theirs"}).status_code == 201
    portal.steward.delete(f"/datasets/{dataset}")
    assert portal.steward.post("/datasets", json={"name": "chest"}).status_code == 201


def test_no_more_runs_than_allowed(portal, limit):
    limit(running=1)
    dataset = portal.ready_dataset()
    first = portal.distillation(dataset_id=dataset)

    refused = portal.steward.post(f"/datasets/{dataset}/distillations", json={"preset": "cpu_demo"})

    assert problem(refused) == (409, "quota-exceeded")
    assert portal.admin.get("/organisations/mine").json()["usage"]["running"] == 1
    portal.advance(first, DistillationStatus.FAILED)
    portal.distillation(dataset_id=dataset)


def test_no_more_hours_of_computing_than_allowed(portal, limit):
    limit(gpu_hours=1.5)
    dataset = portal.ready_dataset()
    portal.used(portal.organisation_id, hours=1.4)
    portal.used(portal.organisation_id, hours=9, queue="cpu")
    portal.used(portal.organisation_id, hours=9, days_ago=31)
    portal.used(portal.elsewhere_id, hours=9)
    first = portal.distillation(dataset_id=dataset)

    portal.used(portal.organisation_id, hours=0.2)
    refused = portal.steward.post(f"/datasets/{dataset}/distillations", json={"preset": "cpu_demo"})

    assert problem(refused) == (409, "quota-exceeded")
    assert "1.6 hours" in refused.json()["detail"]
    assert portal.admin.get("/organisations/mine").json()["usage"]["gpu_hours"] == pytest.approx(
        1.6
    )
    portal.advance(first, DistillationStatus.DISTILLING)  # what runs goes on
    limit(gpu_hours=None)
    portal.distillation(dataset_id=dataset)


def test_no_more_bytes_than_allowed(portal, limit):
    limit(stored_bytes=25)
    portal.uploaded_dataset()  # 10 bytes
    dataset = portal.new_dataset()

    refused = portal.steward.put(f"/datasets/{dataset}/archive", content=b"x" * 16)

    assert problem(refused) == (413, "quota-exceeded")
    assert refused.json()["room"] == 15
    assert portal.admin.get("/organisations/mine").json()["usage"]["stored_bytes"] == 10
    assert portal.steward.put(f"/datasets/{dataset}/archive", content=b"x" * 15).status_code == 202


def test_an_archive_whose_length_nobody_told_is_stopped_where_the_room_ends(portal, limit):
    limit(stored_bytes=25)
    dataset = portal.new_dataset()

    refused = portal.steward.put(
        f"/datasets/{dataset}/archive", content=(b"x" * 10 for _ in range(3))
    )

    assert problem(refused) == (413, "quota-exceeded")
    assert portal.stored(f"datasets/{dataset}") == []


@pytest.mark.parametrize("quota", [{"datasets": -1}, {"running": "many"}, {"images": 5}])
def test_a_limit_that_cannot_be(portal, quota):
    operator = portal.member(portal.elsewhere_id, Role.OPERATOR)

    reply = operator.request(
        "PATCH", f"/organisations/{portal.organisation_id}", json={"quota": quota}
    )

    assert reply.status_code == 422

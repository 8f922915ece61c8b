"""How much an organisation may store and run."""

import pytest

from app.core.security import Role
from app.models import DistillationStatus


def problem(reply):
    return reply.status_code, reply.json()["type"].rpartition(":")[2]


@pytest.fixture
def limit(house):
    """`limit(datasets=1)` as the operator sets it."""
    operator = house.member(house.elsewhere_id, Role.OPERATOR)

    def limit(**quota):
        path = f"/organisations/{house.organisation_id}"
        reply = operator.request("PATCH", path, json={"quota": quota})
        assert reply.status_code == 200, reply.text
        return reply.json()["quota"]

    return limit


def test_what_is_not_named_stays_as_it_was(limit):
    limit(datasets=1, stored_bytes=100)

    assert limit(running=2) == {"stored_bytes": 100, "datasets": 1, "running": 2}


def test_no_more_datasets_than_allowed(house, limit):
    limit(datasets=1)
    dataset = house.new_dataset()

    refused = house.steward.post("/datasets", json={"name": "chest"})

    assert problem(refused) == (409, "quota-exceeded")
    assert refused.json()["limit"] == 1
    assert house.stranger.post("/datasets", json={"name": "theirs"}).status_code == 201
    house.steward.delete(f"/datasets/{dataset}")
    assert house.steward.post("/datasets", json={"name": "chest"}).status_code == 201


def test_no_more_runs_than_allowed(house, limit):
    limit(running=1)
    dataset = house.ready_dataset()
    first = house.distillation(dataset_id=dataset)

    refused = house.steward.post(f"/datasets/{dataset}/distillations", json={"preset": "cpu_demo"})

    assert problem(refused) == (409, "quota-exceeded")
    assert house.admin.get("/organisations/mine").json()["usage"]["running"] == 1
    house.hand_on(first, DistillationStatus.FAILED)
    house.distillation(dataset_id=dataset)


def test_no_more_bytes_than_allowed(house, limit):
    limit(stored_bytes=25)
    house.uploaded_dataset()  # 10 bytes
    dataset = house.new_dataset()

    refused = house.steward.put(f"/datasets/{dataset}/archive", content=b"x" * 16)

    assert problem(refused) == (413, "quota-exceeded")
    assert refused.json()["room"] == 15
    assert house.admin.get("/organisations/mine").json()["usage"]["stored_bytes"] == 10
    assert house.steward.put(f"/datasets/{dataset}/archive", content=b"x" * 15).status_code == 202


def test_an_archive_whose_length_nobody_told_is_stopped_where_the_room_ends(house, limit):
    limit(stored_bytes=25)
    dataset = house.new_dataset()

    refused = house.steward.put(
        f"/datasets/{dataset}/archive", content=(b"x" * 10 for _ in range(3))
    )

    assert problem(refused) == (413, "quota-exceeded")
    assert house.stored(f"datasets/{dataset}") == []


@pytest.mark.parametrize("quota", [{"datasets": -1}, {"running": "many"}, {"images": 5}])
def test_a_limit_that_cannot_be(house, quota):
    operator = house.member(house.elsewhere_id, Role.OPERATOR)

    reply = operator.request(
        "PATCH", f"/organisations/{house.organisation_id}", json={"quota": quota}
    )

    assert reply.status_code == 422

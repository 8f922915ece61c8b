"""The sample cohort: asked for, marked, and kept from what it is not made for."""

from app.core.queue import Queue, Task
from app.models import Dataset
from app.organisations.quotas import Quota


def code(reply):
    return reply.json()["type"].rpartition(":")[2]


def make(portal, **arguments):
    return portal.steward.post("/datasets/sample", **arguments)


def test_a_sample_is_a_dataset_that_a_worker_draws(portal, broker):
    reply = make(portal)

    assert reply.status_code == 201
    sample = reply.json()
    assert reply.headers["location"] == f"/api/v1/datasets/{sample['id']}"
    assert (sample["status"], sample["is_sample"]) == ("checking", True)
    assert "no patients" in sample["name"]
    assert portal.researcher.get(f"/datasets/{sample['id']}").json() == sample
    assert broker.messages() == [(Queue.CPU, Task.CHECK_DATASET, sample["id"])]


def test_an_organisation_has_one_sample_at_a_time(portal, broker):
    first = make(portal).json()

    again = make(portal)

    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert len(broker.messages()) == 1
    elsewhere = portal.stranger.post("/datasets/sample")
    assert elsewhere.status_code == 201
    assert elsewhere.json()["id"] != first["id"]


def test_after_the_sample_is_deleted_another_can_be_made(portal):
    first = make(portal).json()["id"]
    portal.make_ready(first)
    assert portal.steward.delete(f"/datasets/{first}").status_code == 204

    second = make(portal)

    assert second.status_code == 201
    assert second.json()["id"] != first


def test_the_same_request_sent_again_answers_the_same(portal):
    headers = {"Idempotency-Key": "sample-1"}
    assert make(portal, headers=headers).json() == make(portal, headers=headers).json()
    assert len(portal.steward.get("/datasets").json()["items"]) == 1


def test_a_sample_takes_no_archive(portal):
    sample_id = make(portal).json()["id"]
    with portal.database.transaction() as session:
        session.get_one(Dataset, sample_id).status = "rejected"

    reply = portal.steward.put(f"/datasets/{sample_id}/archive", content=b"patients")

    assert (reply.status_code, code(reply)) == (409, "sample-takes-no-archive")
    assert list(portal.storage.list(f"datasets/{sample_id}")) == []


def test_a_sample_has_no_next_version(portal):
    sample_id = make(portal).json()["id"]
    reply = portal.steward.post("/datasets", json={"name": "ours", "previous_id": sample_id})
    assert (reply.status_code, code(reply)) == (409, "sample-has-no-versions")


def test_a_researcher_makes_no_sample(portal):
    assert portal.researcher.post("/datasets/sample").status_code == 403


def test_an_organisation_without_room_is_told_how_much_it_needs(portal):
    operator = portal.member(portal.organisation_id, "operator")
    quota = Quota(stored_bytes=1000).model_dump()
    changed = operator.request(
        "PATCH", f"/organisations/{portal.organisation_id}", json={"quota": quota}
    )
    assert changed.status_code == 200, changed.text

    reply = make(portal)

    assert (reply.status_code, code(reply)) == (413, "quota-exceeded")
    assert reply.json()["room"] == 1000


def test_what_was_distilled_from_a_sample_is_not_released(portal):
    distillation_id = portal.releasable_distillation()
    dataset_id = portal.steward.get(f"/distillations/{distillation_id}").json()["dataset_id"]
    with portal.database.transaction() as session:
        session.get_one(Dataset, dataset_id).sample_seed = 0

    reply = portal.steward.post(
        f"/distillations/{distillation_id}/releases",
        json={"title": "Chest X-rays", "summary": "Adults.", "contact": "a@b.example"},
    )

    assert (reply.status_code, code(reply)) == (409, "sample-not-releasable")
    assert portal.recipient.get("/catalogue").json()["items"] == []

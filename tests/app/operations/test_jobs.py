"""The jobs of every organisation in one table, and an end to one that must not go on."""

import pytest

from app.core.clock import utc_now
from app.core.security import Role
from app.models import (
    Dataset,
    DistillationStatus,
    Training,
    TrainingStatus,
    Withdrawal,
    WithdrawalStatus,
)

REASON = {"reason": "The machine is needed for an urgent repair."}


def jobs(operator, **query):
    reply = operator.get("/operations/jobs", params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()["items"]


def add(portal, row):
    with portal.database.transaction() as session:
        session.add(row)
    return row.id


@pytest.fixture
def training(portal):
    return add(
        portal,
        Training(
            organisation_id=portal.elsewhere_id,
            dataset_id=portal.ready_dataset(),
            release_ids=[],
            rows=["own"],
            networks=2,
            seed=0,
            status=TrainingStatus.RUNNING,
            progress={"done": 1, "total": 4, "unit": "networks"},
            eta_seconds=30.0,
        ),
    )


def test_every_kind_of_job_is_told_with_how_far_it_is(portal, operator, training):
    dataset_id = portal.uploaded_dataset()
    distillation_id = portal.distillation(DistillationStatus.DISTILLING, portal.ready_dataset())
    portal.claim(distillation_id, owner="node-1:7:0a1b2c3d")
    withdrawal_id = add(
        portal,
        Withdrawal(
            organisation_id=portal.organisation_id,
            dataset_id=dataset_id,
            whole_dataset=False,
            reason="A patient asked for it.",
            asked_by="Dr. Grey",
            status=WithdrawalStatus.DONE,
            finished_at=utc_now(),
            lineage={},
        ),
    )

    told = {job["id"]: job for job in jobs(operator)}

    checked = told[dataset_id]
    assert (checked["kind"], checked["status"], checked["active"]) == ("dataset", "checking", True)
    distilled = told[distillation_id]
    assert (distilled["phase"], distilled["worker"]) == ("distilling", "node-1:7")
    trained = told[training]
    assert trained["organisation"] == "Elsewhere"
    assert trained["progress"] == {"done": 1, "total": 4, "unit": "networks"}
    assert trained["eta_seconds"] == 30
    withdrawn = told[withdrawal_id]
    assert (withdrawn["kind"], withdrawn["active"]) == ("withdrawal", False)
    assert "patient" not in str(withdrawn)


def test_they_are_told_newest_first_in_pages(portal, operator):
    ids = [portal.distillation(dataset_id=None) for _ in range(2)]

    pages, cursor = [], None
    for _ in range(5):
        query = {"limit": 2} | ({} if cursor is None else {"cursor": cursor})
        reply = operator.get("/operations/jobs", params=query).json()
        pages += reply["items"]
        cursor = reply["next_cursor"]
        if cursor is None:
            break

    assert [job["id"] for job in pages if job["kind"] == "distillation"] == ids[::-1]
    assert len({job["id"] for job in pages}) == len(pages) == 4
    times = [job["created_at"] for job in pages]
    assert times == sorted(times, reverse=True)


def test_they_are_found_by_kind_status_organisation_and_whether_they_run(
    portal, operator, training
):
    failed = portal.distillation(DistillationStatus.FAILED)
    queued = portal.distillation()

    assert [job["id"] for job in jobs(operator, kind="training")] == [training]
    assert [job["id"] for job in jobs(operator, status="failed")] == [failed]
    elsewhere = jobs(operator, organisation_id=portal.elsewhere_id)
    assert [job["id"] for job in elsewhere] == [training]
    assert {job["id"] for job in jobs(operator, active="true")} == {training, queued}
    assert jobs(operator, kind="teacher") == []


def test_of_a_problem_only_its_code_is_told(portal, operator):
    distillation_id = portal.distillation()
    problem = {
        "type": "urn:iadd-exchange:problem:out-of-memory",
        "title": "Too large",
        "detail": "The class COVID has too many images.",
    }
    portal.advance(distillation_id, DistillationStatus.FAILED, problem=problem)

    [job] = jobs(operator, kind="distillation")

    assert job["problem"] == "out-of-memory"
    assert "COVID" not in str(job)


def test_what_an_organisation_deleted_is_told_no_more(portal, operator):
    distillation_id = portal.distillation(DistillationStatus.FAILED)
    portal.steward.delete(f"/distillations/{distillation_id}")

    assert jobs(operator, kind="distillation") == []


def test_jobs_are_read_alike_from_either_database(either_portal):
    portal = either_portal
    operator = portal.person(portal.elsewhere_id, Role.OPERATOR, "Dr. Ops")
    queued = portal.distillation()
    portal.rejected_dataset()

    assert [job["id"] for job in jobs(operator, active="true", kind="distillation")] == [queued]
    [rejected] = jobs(operator, status="rejected")
    assert (rejected["kind"], rejected["active"]) == ("dataset", False)
    assert len(operator.get("/operations/jobs?limit=1").json()["items"]) == 1
    assert operator.get("/operations/queues").status_code == 200
    assert operator.get("/operations/workers").status_code == 200


def test_the_operator_ends_a_job_and_both_logs_and_its_people_are_told(portal, operator):
    grey = portal.person(portal.organisation_id, Role.RESEARCHER, "Dr. Grey")
    distillation_id = portal.distillation()

    reply = operator.post(f"/operations/jobs/{distillation_id}/cancel", json=REASON)

    assert reply.status_code == 202, reply.text
    assert (reply.json()["status"], reply.json()["active"]) == ("cancelled", False)
    assert portal.row(distillation_id).status == DistillationStatus.CANCELLED
    for admin in (portal.admin, portal.stranger):
        [entry] = admin.get(
            f"/audit?subject={distillation_id}&action=distillation.cancelled"
        ).json()["items"]
        assert entry["actor"]["organisation"] == portal.elsewhere_id
        assert entry["details"] == {"by_operator": True, **REASON}
    [notice] = grey.get("/notifications").json()["items"]
    assert (notice["kind"], notice["data"]) == ("job.cancelled", {"job": distillation_id})
    assert REASON["reason"] in notice["text"]
    # Nothing of it is lost.
    assert portal.steward.post(f"/distillations/{distillation_id}/retry").status_code == 202


def test_a_job_that_a_worker_holds_is_asked_to_stop(portal, operator):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    portal.claim(distillation_id, owner="node-1:7:0a1b2c3d")

    job = operator.post(f"/operations/jobs/{distillation_id}/cancel", json=REASON).json()

    assert (job["status"], job["active"]) == ("distilling", True)
    assert job["cancel_requested_at"] is not None


def test_a_training_is_ended_too(portal, operator, training):
    job = operator.post(f"/operations/jobs/{training}/cancel", json=REASON).json()

    assert (job["kind"], job["status"]) == ("training", "cancelled")


def test_what_has_ended_or_is_none_is_not_cancelled(portal, operator):
    failed = portal.distillation(DistillationStatus.FAILED)
    dataset_id = portal.uploaded_dataset()

    assert operator.post(f"/operations/jobs/{failed}/cancel", json=REASON).status_code == 409
    for nothing in (dataset_id, "dl_none"):
        reply = operator.post(f"/operations/jobs/{nothing}/cancel", json=REASON)
        assert reply.status_code == 404
    assert operator.post(f"/operations/jobs/{failed}/cancel", json={}).status_code == 422


def test_the_same_request_sent_again_cancels_once(portal, operator):
    distillation_id = portal.distillation()
    path, headers = f"/operations/jobs/{distillation_id}/cancel", {"Idempotency-Key": "once"}

    first = operator.post(path, json=REASON, headers=headers)
    again = operator.post(path, json=REASON, headers=headers)

    assert (first.status_code, again.status_code) == (202, 202)
    log = portal.admin.get(f"/audit?subject={distillation_id}&action=distillation.cancelled")
    assert len(log.json()["items"]) == 1


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (None, None),
        ({"phase": "fetching"}, None),
        (
            {"phase": "reading", "done": 3, "total": 9, "unit": "files"},
            {"done": 3, "total": 9, "unit": "files"},
        ),
    ],
)
def test_a_check_tells_how_far_it_is_where_that_can_be_counted(portal, operator, told, shown):
    dataset_id = portal.uploaded_dataset()
    with portal.database.transaction() as session:
        session.get_one(Dataset, dataset_id).progress = told

    [job] = jobs(operator)

    assert (job["id"], job["phase"], job["progress"]) == (dataset_id, "checking", shown)

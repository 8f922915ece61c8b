"""What the operator sees: workers, queues, disk. Numbers and ids, and nothing of what is stored."""

import shutil
from datetime import timedelta

import pytest

from app.core.clock import utc_now
from app.core.errors import Forbidden
from app.core.queue import Queue
from app.core.security import Caller, Role
from app.models import DistillationStatus
from app.operations import service
from app.organisations.quotas import Quota


def test_a_worker_is_shown_with_what_it_holds_and_since_when(portal, operator, add_worker):
    held = portal.distillation()
    let_go = portal.distillation()
    since = utc_now()
    worker = add_worker(row_id=held, row_since=since)
    add_worker("node-2", queues=["cpu"])
    portal.claim(held, owner=f"{worker}:0a1b2c3d")
    portal.claim(let_go, owner=f"{worker}:0a1b2c3d", seconds=-1)

    first, second = operator.get("/operations/workers").json()["items"]

    assert (first["id"], first["alive"], first["device"]) == ("node-1:7", True, "NVIDIA H100")
    assert first["holds"] == [
        {"kind": "distillation", "id": held, "since": since.isoformat().replace("+00:00", "Z")}
    ]
    assert (second["id"], second["queues"], second["holds"]) == ("node-2:7", ["cpu"], [])


def test_a_worker_that_tells_nothing_any_more_is_shown_as_dead_and_later_not_at_all(
    portal, operator, add_worker
):
    add_worker(seen_at=utc_now() - timedelta(minutes=2))
    add_worker("node-2", seen_at=utc_now() - timedelta(hours=2))

    [worker] = operator.get("/operations/workers").json()["items"]

    assert (worker["host"], worker["alive"]) == ("node-1", False)


def test_queues_tell_how_much_waits_and_since_when(portal, operator, add_worker):
    add_worker(queues=["cpu"])
    add_worker(pid=8, queues=["cpu"], seen_at=utc_now() - timedelta(minutes=2))
    before = utc_now()
    portal.uploaded_dataset()
    distilling = portal.distillation(DistillationStatus.DISTILLING)
    held = portal.distillation(DistillationStatus.EVALUATING)
    portal.claim(held, owner="node-1:7:0a1b2c3d")
    after = utc_now()

    queues = {each["name"]: each for each in operator.get("/operations/queues").json()["items"]}

    # Each was enqueued as it was made: archives and starts of distillations, on the CPU queue.
    assert queues["cpu"]["messages"] == portal.services.queue.waiting(Queue.CPU) > 0
    assert (queues["cpu"]["waiting"], queues["cpu"]["held"], queues["cpu"]["workers"]) == (1, 0, 1)
    assert (queues["gpu"]["waiting"], queues["gpu"]["held"], queues["gpu"]["workers"]) == (1, 1, 0)
    touched = portal.row(distilling).updated_at
    assert before <= touched <= after
    assert queues["gpu"]["oldest_waiting_since"] == touched.isoformat().replace("+00:00", "Z")


def test_a_broker_that_is_away_hides_nothing_but_its_number(portal_with):
    portal = portal_with(broker_url="redis+socket:///nowhere/broker.sock")
    operator = portal.person(portal.elsewhere_id, Role.OPERATOR, "Dr. Ops")
    dataset_id = portal.uploaded_dataset()

    queues = {each["name"]: each for each in operator.get("/operations/queues").json()["items"]}

    assert dataset_id
    assert (queues["cpu"]["messages"], queues["cpu"]["waiting"]) == (None, 1)


def test_storage_tells_the_disk_and_each_organisations_bytes(portal, operator):
    portal.uploaded_dataset()
    size = len(b"an archive")
    bundle = len(portal.steward.get(f"/releases/{portal.release()['id']}/bundle").content)
    archives = 2 * size
    operator.request(
        "PATCH",
        f"/organisations/{portal.organisation_id}",
        json={"quota": Quota(stored_bytes=5_000_000).model_dump()},
    )

    told = operator.get("/operations/storage").json()

    disk = shutil.disk_usage(portal.services.settings.data_dir)
    assert told["disk"]["total_bytes"] == disk.total
    assert 0 < told["disk"]["free_bytes"] <= disk.total
    of = {each["organisation"]: each for each in told["items"]}
    home = of["St. Anna"]
    assert home["stored_bytes"] == archives + bundle == told["stored_bytes"]
    assert home["quota_bytes"] == 5_000_000
    assert of["Elsewhere"]["stored_bytes"] == 0
    first = operator.get("/operations/storage?limit=1").json()
    second = operator.get("/operations/storage", params={"cursor": first["next_cursor"]}).json()
    assert len(first["items"]) == 1
    assert {each["organisation"] for each in first["items"] + second["items"]} == set(of)


def test_no_name_of_a_dataset_is_told(portal, operator):
    portal.ready_dataset()
    portal.distillation()
    for path in ("workers", "queues", "storage", "jobs"):
        reply = operator.get(f"/operations/{path}")
        assert reply.status_code == 200, reply.text
        assert "chest" not in reply.text
        assert "COVID" not in reply.text


def test_a_page_or_command_that_asks_for_somebody_else_is_refused(portal):
    admin = Caller.on_behalf(portal.organisation_id, Role.ADMIN, "admin")
    with portal.database.reading() as session, pytest.raises(Forbidden):
        service.workers(session, admin)
    with portal.database.reading() as session, pytest.raises(Forbidden):
        service.list_jobs(session, admin)

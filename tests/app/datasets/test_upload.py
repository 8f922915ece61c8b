"""The archive's way in, over real sockets."""

import contextlib
import hashlib
import http.client
import json
import socket
import threading
import tracemalloc
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from app.background.sweeper import sweep
from app.core.storage import PART_BYTES, PARTS_IN_FLIGHT
from app.models import DatasetStatus, Organisation, Upload
from tests.fixtures.portal_process import portal_process
from tests.fixtures.ports import free_ports

LIMIT = 1_000_000


def chunks(total, size=10_000):
    for start in range(0, total, size):
        yield bytes([start // size % 251]) * min(size, total - start)


def test_the_last_byte_starts_the_check(portal, broker):
    dataset_id = portal.new_dataset()

    reply = portal.steward.put(f"/datasets/{dataset_id}/archive", content=chunks(300_000))

    content = b"".join(chunks(300_000))
    assert reply.status_code == 202
    assert reply.json()["status"] == "checking"
    assert reply.json()["size"] == 300_000
    assert reply.json()["sha256"] == hashlib.sha256(content).hexdigest()
    [key] = portal.stored(f"datasets/{dataset_id}")
    assert portal.storage.get(key) == content
    assert broker.messages() == [("cpu", "check_dataset", dataset_id)]


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_body_over_the_limit_leaves_nothing(portal, declared):
    dataset_id = portal.new_dataset()
    body = b"x" * (LIMIT + 1) if declared else chunks(LIMIT + 1)

    reply = portal.steward.put(f"/datasets/{dataset_id}/archive", content=body)

    assert reply.status_code == 413
    assert reply.json()["limit"] == LIMIT
    assert portal.dataset_status(dataset_id) == DatasetStatus.AWAITING_UPLOAD
    assert portal.stored(f"datasets/{dataset_id}") == []


def test_a_body_of_exactly_the_limit_is_taken(portal):
    dataset_id = portal.new_dataset()

    assert portal.steward.put(f"/datasets/{dataset_id}/archive", content=b"x" * LIMIT).is_success


@pytest.mark.parametrize("body", [b"", iter([])], ids=["declared", "chunked"])
def test_an_empty_body_is_refused(portal, broker, body):
    dataset_id = portal.new_dataset()

    reply = portal.steward.put(f"/datasets/{dataset_id}/archive", content=body)

    assert reply.status_code == 422
    assert reply.json()["type"] == "urn:iadd-exchange:problem:archive-empty"
    assert portal.dataset_status(dataset_id) == DatasetStatus.AWAITING_UPLOAD
    assert portal.stored(f"datasets/{dataset_id}") == []
    assert broker.messages() == []


@pytest.mark.parametrize("state", ["uploaded_dataset", "ready_dataset"])
def test_a_dataset_that_has_its_archive_takes_no_other(portal, state):
    dataset_id = getattr(portal, state)()
    before = portal.stored(f"datasets/{dataset_id}")

    reply = portal.steward.put(f"/datasets/{dataset_id}/archive", content=b"another")

    assert reply.status_code == 409
    assert reply.json()["dataset_status"] in ("checking", "ready")
    assert portal.stored(f"datasets/{dataset_id}") == before


def test_a_rejected_dataset_takes_another_archive(portal):
    dataset_id = portal.rejected_dataset()
    assert portal.steward.get(f"/datasets/{dataset_id}").json()["problem"]

    reply = portal.steward.put(f"/datasets/{dataset_id}/archive", content=b"better")

    assert reply.json()["status"] == "checking"
    assert reply.json()["problem"] is None
    [key] = portal.stored(f"datasets/{dataset_id}")
    assert portal.storage.get(key) == b"better"


def open_upload(portal, live_url, dataset_id, *headers):
    address = urlsplit(live_url)
    connection = socket.create_connection((address.hostname, address.port))
    lines = [
        f"PUT /api/v1/datasets/{dataset_id}/archive HTTP/1.1",
        "Host: portal",
        f"Authorization: Bearer {portal.steward.token}",
        *headers,
    ]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


@pytest.mark.parametrize(
    ("header", "start"),
    [("Content-Length: 500000", b""), ("Transfer-Encoding: chunked", b"186a0\r\n")],
    ids=["declared", "chunked"],
)
def test_a_broken_connection_leaves_nothing(portal, live_url, wait_until, header, start):
    dataset_id = portal.new_dataset()
    folder = portal.services.settings.data_dir / "objects"

    def files():
        return [path for path in folder.rglob("*") if path.is_file()]

    with open_upload(portal, live_url, dataset_id, header) as connection:
        connection.sendall(start + b"x" * 100_000)
        wait_until(files, "the upload has begun")
    wait_until(lambda: not files(), "what had arrived is gone")

    assert portal.dataset_status(dataset_id) == DatasetStatus.AWAITING_UPLOAD
    assert portal.steward.put(f"/datasets/{dataset_id}/archive", content=b"again").is_success


def test_of_two_uploads_at_once_one_wins_and_leaves_no_rest(portal, live_url, wait_until):
    dataset_id = portal.new_dataset()
    folder = portal.services.settings.data_dir / "objects"

    with open_upload(portal, live_url, dataset_id, "Content-Length: 6") as slow:
        slow.sendall(b"sl")
        wait_until(lambda: any(folder.rglob("archive*")), "the slow upload has begun")
        fast = portal.steward.put(f"/datasets/{dataset_id}/archive", content=b"fast")
        slow.sendall(b"ower")
        late = http.client.HTTPResponse(slow)
        late.begin()

    assert fast.status_code == 202
    assert late.status == 409
    [key] = portal.stored(f"datasets/{dataset_id}")
    assert portal.storage.get(key) == b"fast"


def test_an_upload_into_a_dataset_deleted_meanwhile_leaves_nothing(portal, live_url, wait_until):
    dataset_id = portal.new_dataset()
    folder = portal.services.settings.data_dir / "objects"

    with open_upload(portal, live_url, dataset_id, "Content-Length: 4") as slow:
        slow.sendall(b"sl")
        wait_until(lambda: any(folder.rglob("archive*")), "the upload has begun")
        assert portal.steward.delete(f"/datasets/{dataset_id}").status_code == 204
        slow.sendall(b"ow")
        late = http.client.HTTPResponse(slow)
        late.begin()

    assert late.status == 404
    assert portal.stored(f"datasets/{dataset_id}") == []


def test_memory_does_not_grow_with_the_archive(portal_with):
    """The parts in flight are held, and no more: an archive four times as large costs the same."""
    portal = portal_with(max_archive_bytes=10**9)
    size = 4 * PART_BYTES * (PARTS_IN_FLIGHT + 1)
    dataset_id = portal.new_dataset()

    tracemalloc.start()
    try:
        reply = portal.steward.put(
            f"/datasets/{dataset_id}/archive", content=chunks(size, size=2**20)
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert reply.status_code == 202
    assert reply.json()["size"] == size
    assert peak < size / 2


def test_reading_goes_on_while_an_upload_is_open(portal, live_url, wait_until):
    dataset_id = portal.new_dataset()

    with open_upload(portal, live_url, dataset_id, "Content-Length: 9") as slow:
        slow.sendall(b"some")
        wait_until(lambda: received(portal), "the upload has begun")
        answers = []
        reader = threading.Thread(
            target=lambda: answers.append(portal.researcher.get("/datasets").status_code)
        )
        reader.start()
        reader.join(timeout=10)
    wait_until(lambda: not received(portal), "the upload has ended")

    assert answers == [200]


def test_uploads_at_once_do_not_share_the_same_room(portal):
    with portal.database.transaction() as session:
        home = session.get_one(Organisation, portal.organisation_id)
        home.quota = {"stored_bytes": 150_000}
    ids = [portal.new_dataset(), portal.new_dataset()]
    together = threading.Barrier(2)

    def body():
        yield b"x" * 50_000
        together.wait(timeout=10)  # both have seen room for 100,000 bytes
        yield b"x" * 50_000

    def upload(dataset_id, replies):
        reply = portal.steward.put(f"/datasets/{dataset_id}/archive", content=body())
        replies.append(reply.status_code)

    replies = []
    threads = [threading.Thread(target=upload, args=(row, replies)) for row in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(replies) == [202, 413]
    assert len([key for row in ids for key in portal.stored(f"datasets/{row}")]) == 1


def answer(connection):
    connection.settimeout(30)
    reply = http.client.HTTPResponse(connection)
    reply.begin()
    return reply.status, json.loads(reply.read())


def received(portal):
    """Bytes that count against the quota, of each archive that arrives at the moment."""
    with portal.database.reading() as session:
        return list(session.scalars(select(Upload.received).where(Upload.status == "receiving")))


def test_what_arrives_takes_room_from_the_others_meanwhile(portal_with, wait_until):
    portal = portal_with(heartbeat_seconds=0.05)
    url = str(portal.client.base_url)
    with portal.database.transaction() as session:
        home = session.get_one(Organisation, portal.organisation_id)
        home.quota = {"stored_bytes": 150_000}
    first, second = portal.new_dataset(), portal.new_dataset()

    with (
        open_upload(portal, url, first, "Content-Length: 100001") as ahead,
        open_upload(portal, url, second, "Content-Length: 100001") as late,
    ):
        ahead.sendall(b"x" * 100_000)
        wait_until(lambda: 100_000 in received(portal), "what came is counted")
        late.sendall(b"x" * 100_000)
        status, problem = answer(late)
        ahead.sendall(b"x")
        assert answer(ahead)[0] == 202

    assert status == 413
    assert problem["type"].endswith(":quota-exceeded")
    assert portal.stored(f"datasets/{second}") == []


def test_a_silent_sender_is_let_go_and_leaves_nothing(portal_with):
    portal = portal_with(lease_seconds=0.4, heartbeat_seconds=0.1)
    dataset_id = portal.new_dataset()
    url = str(portal.client.base_url)

    with open_upload(portal, url, dataset_id, "Content-Length: 10") as silent:
        silent.sendall(b"0123")
        status, problem = answer(silent)

    assert status == 408
    assert problem["type"].endswith(":archive-silent")
    assert "Nothing was kept" in problem["detail"]
    assert portal.stored(f"datasets/{dataset_id}") == []
    assert portal.dataset_status(dataset_id) == DatasetStatus.AWAITING_UPLOAD


def test_a_token_that_is_deleted_meanwhile_brings_no_archive(portal, live_url, wait_until):
    dataset_id = portal.new_dataset()
    folder = portal.services.settings.data_dir / "objects"
    [token] = (
        item for item in portal.admin.get("/tokens").json()["items"] if item["role"] == "steward"
    )

    with open_upload(portal, live_url, dataset_id, "Content-Length: 4") as connection:
        connection.sendall(b"ar")
        wait_until(lambda: any(folder.rglob("archive*")), "the upload has begun")
        assert portal.admin.delete(f"/tokens/{token['id']}").status_code == 204
        connection.sendall(b"ch")
        status, _ = answer(connection)

    assert status == 401
    assert portal.stored(f"datasets/{dataset_id}") == []
    assert portal.dataset_status(dataset_id) == DatasetStatus.AWAITING_UPLOAD


def test_an_archive_in_one_request_is_not_offered_to_go_on_with(portal, live_url, wait_until):
    dataset_id = portal.new_dataset()

    with open_upload(portal, live_url, dataset_id, "Content-Length: 4") as connection:
        connection.sendall(b"ar")
        wait_until(lambda: received(portal), "the upload has begun")
        assert portal.steward.get("/uploads").json()["items"] == []
    wait_until(lambda: not received(portal), "the upload has ended")


def test_as_many_arrive_at_once_as_there_may_be_uploads(portal, live_url, wait_until, monkeypatch):
    monkeypatch.setattr("app.datasets.uploads.service.MOST_UNFINISHED", 1)

    with open_upload(portal, live_url, portal.new_dataset(), "Content-Length: 4"):
        wait_until(lambda: received(portal), "the upload has begun")
        reply = portal.steward.put(f"/datasets/{portal.new_dataset()}/archive", content=b"more")
    wait_until(lambda: not received(portal), "the upload has ended")

    assert reply.status_code == 409
    assert reply.json()["type"].endswith(":too-many-uploads")


@pytest.mark.slow
def test_what_a_killed_portal_had_received_is_removed(portal, tmp_path, wait_until):
    [port] = free_ports(1)
    dataset_id = portal.new_dataset()
    leases = {"EXCHANGE_LEASE_SECONDS": "1", "EXCHANGE_HEARTBEAT_SECONDS": "0.2"}

    with portal_process(portal, port, tmp_path / "log", **leases) as process:
        wait_until(lambda: listens(port), "the portal listens", seconds=60)
        address = f"http://127.0.0.1:{port}"
        with open_upload(portal, address, dataset_id, "Content-Length: 10") as connection:
            connection.sendall(b"0123")
            wait_until(lambda: received(portal) == [4], "what came is counted")
            process.kill()
            process.wait()
    assert portal.stored(f"datasets/{dataset_id}")

    def swept():
        sweep(portal.services)
        return not portal.stored(f"datasets/{dataset_id}")

    wait_until(swept, "what had arrived is removed")
    assert received(portal) == []
    assert portal.steward.put(f"/datasets/{dataset_id}/archive", content=b"again").is_success


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False

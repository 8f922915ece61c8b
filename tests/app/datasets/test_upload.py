"""The archive's way in, over real sockets."""

import hashlib
import http.client
import socket
import threading
import tracemalloc
from urllib.parse import urlsplit

import pytest

from app.core.storage import PART_BYTES, PARTS_IN_FLIGHT
from app.models import DatasetStatus, Organisation

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
        wait_until(lambda: any(folder.rglob("archive-*")), "the slow upload has begun")
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
        wait_until(lambda: any(folder.rglob("archive-*")), "the upload has begun")
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


def test_reading_goes_on_while_an_upload_is_open(portal, live_url):
    dataset_id = portal.new_dataset()

    with open_upload(portal, live_url, dataset_id, "Content-Length: 9") as slow:
        slow.sendall(b"some")
        answers = []
        reader = threading.Thread(
            target=lambda: answers.append(portal.researcher.get("/datasets").status_code)
        )
        reader.start()
        reader.join(timeout=10)

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

"""Archives that go on over a bad line, and in another run of the program."""

import hashlib
import json
import os
import random

import httpx
import pytest

from app.client import PortalError, UnreachableError
from app.client.unfinished import Unfinished
from app.models import DatasetStatus

CONTENT = random.Random(7).randbytes(700_000)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "chest.zip"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def client(client_of, portal, proxy):
    return client_of(portal.steward, url=proxy.url)


@pytest.fixture
def small_requests(monkeypatch):
    monkeypatch.setattr("app.client.uploads.REQUEST_BYTES", 200_000)


def patches(proxy):
    return [
        int(headers["upload-offset"]) for method, _, headers in proxy.requests if method == "PATCH"
    ]


def part_of(count):
    """The portal gets the first bytes of a body, and then the line breaks."""

    def broken(proxy, handler, headers):
        part = handler.rfile.read(count)
        known = {name: value for name, value in headers.items() if name != "host"}
        proxy.portal.request(
            "PATCH", handler.path, content=part, headers={**known, "content-length": str(count)}
        )
        handler.close_connection = True

    return broken


def notes(archive):
    folder = archive.parent / "state"
    return [path for path in folder.rglob("*") if path.is_file()]


def expect_arrived(portal, dataset):
    assert dataset.status == "checking"
    assert dataset.sha256 == hashlib.sha256(CONTENT).hexdigest()
    [key] = portal.stored(f"datasets/{dataset.id}")
    assert portal.storage.get(key) == CONTENT


def test_an_archive_is_sent_in_requests_of_a_bounded_size(
    client, portal, proxy, archive, small_requests
):
    seen = []
    dataset = client.datasets.send(
        archive, on_progress=lambda done, total: seen.append((done, total))
    )
    expect_arrived(portal, dataset)
    assert dataset.name == "chest"
    assert patches(proxy) == [0, 200_000, 400_000, 600_000]
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert notes(archive) == []


def test_a_line_that_breaks_again_and_again_costs_what_was_on_its_way(
    client, portal, proxy, archive, small_requests
):
    creation = [proxy.whole, proxy.whole]
    proxy.next(
        *creation,
        *(proxy.whole, part_of(150_000)),
        *(proxy.hang_up, proxy.whole, proxy.hang_up),
        *(proxy.answer(502), proxy.whole, part_of(10)),
        *(proxy.whole, proxy.lose_reply),
    )
    dataset = client.datasets.send(archive)
    expect_arrived(portal, dataset)
    sent = patches(proxy)
    assert sent == sorted(sent)
    assert sent[0] == 0
    assert sent.count(0) == 1
    assert 150_010 in sent


def test_a_reply_to_the_last_byte_that_is_lost_is_asked_for(client, portal, proxy, archive):
    proxy.next(proxy.whole, proxy.whole, proxy.whole, proxy.lose_reply)
    expect_arrived(portal, client.datasets.send(archive))
    assert patches(proxy) == [0]


def test_a_busy_upload_is_waited_for(client, portal, proxy, archive):
    busy = json.dumps({"type": "urn:iadd-exchange:problem:upload-busy", "title": "Busy"}).encode()
    proxy.next(
        proxy.whole,
        proxy.whole,
        proxy.whole,
        proxy.answer(423, busy),
        proxy.whole,
        proxy.answer(423, busy),
    )
    expect_arrived(portal, client.datasets.send(archive))


def test_a_portal_that_stays_away_ends_the_call_and_the_next_one_goes_on(
    client, client_of, portal, proxy, archive, live_url
):
    proxy.next(proxy.whole, proxy.whole, proxy.whole, part_of(300_000), *[proxy.hang_up] * 1000)
    with pytest.raises(UnreachableError, match="What has arrived is kept"):
        client.datasets.send(archive)
    assert len(notes(archive)) == 1
    secret = portal.steward.token
    assert secret not in notes(archive)[0].read_text()
    # A note is of one portal: at another address nothing is known of it.
    other = client_of(portal.steward, url=live_url)
    assert Unfinished(other.url, archive).find() is None

    proxy.forget()
    seen = []
    dataset = client.datasets.send(archive, on_progress=lambda done, total: seen.append(done))

    expect_arrived(portal, dataset)
    assert seen[0] == 300_000
    assert patches(proxy) == [0, 300_000]
    assert len(portal.steward.get("/datasets").json()["items"]) == 1


def test_whoever_does_not_want_to_go_on_begins_anew(client, portal, proxy, archive):
    proxy.next(proxy.whole, proxy.whole, proxy.whole, part_of(300_000), *[proxy.hang_up] * 1000)
    with pytest.raises(UnreachableError):
        client.datasets.send(archive)
    proxy.forget()
    expect_arrived(portal, client.datasets.send(archive, resume=False))
    assert patches(proxy) == [0, 0]


def test_another_archive_under_the_same_name_is_another(client, portal, proxy, archive):
    proxy.next(proxy.whole, proxy.whole, proxy.whole, part_of(300_000), *[proxy.hang_up] * 1000)
    with pytest.raises(UnreachableError):
        client.datasets.send(archive)
    proxy.forget()
    before = archive.stat()
    other = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    archive.write_bytes(other)
    os.utime(archive, ns=(before.st_atime_ns, before.st_mtime_ns))

    dataset = client.datasets.send(archive)

    assert dataset.sha256 == hashlib.sha256(other).hexdigest()
    assert patches(proxy) == [0, 0]


def test_an_upload_that_the_portal_forgot_begins_anew_in_its_dataset(
    client, portal, proxy, archive
):
    proxy.next(proxy.whole, proxy.whole, proxy.whole, part_of(300_000), *[proxy.hang_up] * 1000)
    with pytest.raises(UnreachableError):
        client.datasets.send(archive)
    proxy.forget()
    [item] = portal.steward.get("/uploads").json()["items"]
    ended = portal.steward.delete(f"/uploads/{item['id']}", headers={"Tus-Resumable": "1.0.0"})
    assert ended.status_code == 204

    expect_arrived(portal, client.datasets.send(archive))

    assert patches(proxy) == [0, 0]
    assert len(portal.steward.get("/datasets").json()["items"]) == 1


def test_a_dataset_that_was_deleted_meanwhile_is_made_again(client, portal, proxy, archive):
    proxy.next(proxy.whole, proxy.whole, proxy.whole, part_of(300_000), *[proxy.hang_up] * 1000)
    with pytest.raises(UnreachableError):
        client.datasets.send(archive)
    proxy.forget()
    [row] = portal.steward.get("/datasets").json()["items"]
    portal.steward.delete(f"/datasets/{row['id']}")
    dataset = client.datasets.send(archive)
    expect_arrived(portal, dataset)
    assert dataset.id != row["id"]


def test_an_archive_that_changes_while_it_is_sent_is_told_and_ended(client, portal, archive):
    dataset = client.datasets.create("chest")

    def change(done, total):
        if done:
            archive.write_bytes(CONTENT + b"more")

    with pytest.raises(PortalError, match="changed while it was sent"):
        client.datasets.send(archive, dataset_id=dataset.id, on_progress=change)
    assert portal.dataset_status(dataset.id) == DatasetStatus.AWAITING_UPLOAD
    assert portal.steward.get("/uploads").json()["items"] == []
    assert notes(archive) == []


def test_bytes_that_were_changed_on_the_way_are_told(client, portal, proxy, archive):
    def garble(proxy, handler, headers):
        body = bytes(len(handler.rfile.read(int(headers["content-length"]))))
        known = {name: value for name, value in headers.items() if name != "host"}
        reply = proxy.portal.request("PATCH", handler.path, content=body, headers=known)
        assert reply.status_code == httpx.codes.NO_CONTENT
        handler.close_connection = True

    proxy.next(proxy.whole, proxy.whole, proxy.whole, garble)
    with pytest.raises(PortalError, match="is not what was sent"):
        client.datasets.send(archive)


@pytest.mark.parametrize("member", ["researcher", "stranger"])
def test_a_refusal_says_its_reason(client_of, portal, archive, member):
    dataset_id = portal.new_dataset()
    client = client_of(getattr(portal, member))
    with pytest.raises(PortalError) as refused:
        client.datasets.send(archive, dataset_id=dataset_id)
    assert refused.value.status == (403 if member == "researcher" else 404)
    assert refused.value.detail


def test_a_token_that_ended_meanwhile_is_told_with_a_reason(
    client, client_of, portal, proxy, archive
):
    proxy.next(proxy.whole, proxy.whole, proxy.whole, part_of(300_000), *[proxy.hang_up] * 1000)
    with pytest.raises(UnreachableError):
        client.datasets.send(archive)
    proxy.forget()
    portal.steward.token = "iadd_" + "x" * 43
    ended = client_of(portal.steward, url=proxy.url)
    with pytest.raises(PortalError) as refused:
        ended.datasets.send(archive)
    assert (refused.value.status, refused.value.code) == (401, "unauthenticated")

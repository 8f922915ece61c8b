"""Who may write: one at a time, and soon somebody else when that one is gone."""

import hashlib
import http.client
import threading
from datetime import timedelta

import pytest

from app.core.clock import utc_now
from app.core.leases import LeaseLost
from app.core.security import PERMISSIONS, Caller, Role
from app.datasets.uploads import lease_owner as owners
from app.datasets.uploads.receive import Body
from app.datasets.uploads.service import UploadBusy
from app.datasets.uploads.writer import Writer
from app.models import Upload


def steward(portal):
    return Caller(
        organisation_id=portal.organisation_id,
        permissions=PERMISSIONS[Role.STEWARD],
        roles=(Role.STEWARD,),
        name="Dr. Grey",
    )


def change(portal, upload_id, **values):
    with portal.database.transaction() as session:
        row = session.get_one(Upload, upload_id)
        for name, value in values.items():
            setattr(row, name, value)


def test_a_second_writer_is_asked_to_wait(portal, live_url, begin, row_of, wait_until):
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, 10)
    with sending.open_patch(live_url, 0, 10) as slow:
        slow.sendall(b"01234")
        wait_until(lambda: row_of(portal, sending.id).lease_owner, "the first one writes")

        second = sending.patch(0, b"XXXXXXXXXX")

        assert second.status_code == 423
        assert second.headers["Retry-After"]
        slow.sendall(b"56789")
        reply = http.client.HTTPResponse(slow)
        reply.begin()
    assert reply.status == 204
    dataset = portal.steward.get(f"/datasets/{dataset_id}").json()
    assert dataset["sha256"] == hashlib.sha256(b"0123456789").hexdigest()


def test_of_many_writers_at_once_each_byte_is_of_one(portal, begin):
    """Each sends what belongs at its offset; whoever comes at the wrong time is told."""
    content = bytes(range(250)) * 4
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, len(content))
    answers = set()

    def send():
        for _ in range(300):
            reply = sending.head()
            if reply.headers["Exchange-Upload-Status"] == "done":
                return
            offset = int(reply.headers["Upload-Offset"])
            answers.add(sending.patch(offset, content[offset : offset + 50]).status_code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers <= {204, 409, 423}
    dataset = portal.steward.get(f"/datasets/{dataset_id}").json()
    assert dataset["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.fixture
def pieces(monkeypatch):
    """What the portal has taken from the network so far."""
    taken = []
    next_piece = Body.next

    async def noting(body):
        piece = await next_piece(body)
        taken.append(piece)
        return piece

    monkeypatch.setattr(Body, "next", noting)
    return taken


def test_what_came_before_the_line_broke_is_kept(portal, live_url, begin, wait_until, pieces):
    sending = begin(portal.steward, portal.new_dataset(), 1000)
    with sending.open_patch(live_url, 0, 1000) as connection:
        connection.sendall(b"x" * 400)
        wait_until(lambda: sum(map(len, pieces)) == 400, "it is here")
        assert sending.offset() == 0
    wait_until(lambda: sending.offset() == 400, "what came is counted")
    wait_until(lambda: sending.patch(400, b"").status_code == 204, "the lease is free")


def test_of_a_piece_with_a_sum_that_broke_off_nothing_is_kept(
    portal, live_url, begin, row_of, wait_until, pieces
):
    sending = begin(portal.steward, portal.new_dataset(), 1000)
    sending.patch(0, b"0123")
    pieces.clear()
    begun = row_of(portal, sending.id).fence
    header = "Upload-Checksum: sha256 " + "A" * 43 + "="
    with sending.open_patch(live_url, 4, 996, header) as connection:
        connection.sendall(b"x" * 400)
        wait_until(lambda: sum(map(len, pieces)) == 400, "it is here")
    wait_until(lambda: row_of(portal, sending.id).fence >= begun + 2, "it came and went")
    assert sending.offset() == 4


def test_a_sender_that_falls_silent_loses_its_place(portal_with, begin, row_of):
    """A connection of which only one half is left would otherwise keep the others out."""
    portal = portal_with(lease_seconds=0.4, heartbeat_seconds=0.1)
    sending = begin(portal.steward, portal.new_dataset(), 10)
    url = str(portal.client.base_url)
    with sending.open_patch(url, 0, 10) as silent:
        silent.sendall(b"0123")
        silent.settimeout(30)
        reply = http.client.HTTPResponse(silent)
        reply.begin()
    assert reply.status == 408
    assert sending.offset() == 4
    assert row_of(portal, sending.id).lease_owner is None
    assert sending.patch(4, b"456789").status_code == 204


def test_a_slow_sender_keeps_its_place(portal_with, begin, wait_until):
    """Longer than a lease, as long as something comes; and what came counts on the way."""
    portal = portal_with(lease_seconds=1, heartbeat_seconds=0.1)
    sending = begin(portal.steward, portal.new_dataset(), 8)
    url = str(portal.client.base_url)
    with sending.open_patch(url, 0, 8) as slow:
        for count in range(1, 8):
            slow.sendall(b"x")
            wait_until(lambda count=count: sending.offset() == count, "it is counted")
        assert sending.patch(7, b"y").status_code == 423
        slow.sendall(b"x")
        reply = http.client.HTTPResponse(slow)
        reply.begin()
    assert reply.status == 204


def test_who_may_send_no_longer_is_stopped_in_the_middle_of_a_body(portal_with, begin, wait_until):
    portal = portal_with(heartbeat_seconds=0.1)
    sender = portal.person(portal.organisation_id, Role.STEWARD)
    sending = begin(sender, portal.new_dataset(), 1000)
    with sending.open_patch(str(portal.client.base_url), 0, 1000) as connection:
        connection.sendall(b"x" * 400)
        wait_until(lambda: sending.offset() == 400, "it is counted")
        [person] = (
            one for one in portal.admin.get("/users").json()["items"] if one["name"] == "Dr. Grey"
        )
        reply = portal.admin.request(
            "PATCH", f"/users/{person['id']}", json={"roles": ["researcher"]}
        )
        assert reply.status_code == 200
        connection.sendall(b"y" * 600)
        reply = http.client.HTTPResponse(connection)
        reply.begin()
    assert reply.status == 403
    assert int(sending.head(portal.steward).headers["Upload-Offset"]) == 400


def test_an_owner_that_is_dead_is_known_before_its_lease_is_over(portal, begin):
    sending = begin(portal.steward, portal.new_dataset(), 10)
    host, pid, _ = owners.this_process().split("/")
    for dead in (f"{host}/{pid}/an-earlier-life", f"{host}/{2**22 + 1}/whatever"):
        change(
            portal,
            sending.id,
            lease_owner=dead,
            lease_expires_at=utc_now() + timedelta(minutes=5),
        )
        assert sending.patch(0, b"").status_code == 204


@pytest.mark.parametrize("owner", ["elsewhere/1/abc", "nonsense", "{host}/{pid}/{life}"])
def test_an_owner_that_may_live_is_waited_for(portal, begin, owner):
    sending = begin(portal.steward, portal.new_dataset(), 10)
    host, pid, life = owners.this_process().split("/")
    change(
        portal,
        sending.id,
        lease_owner=owner.format(host=host, pid=pid, life=life),
        lease_expires_at=utc_now() + timedelta(minutes=5),
    )
    assert sending.patch(0, b"").status_code == 423
    change(portal, sending.id, lease_expires_at=utc_now() - timedelta(seconds=1))
    assert sending.patch(0, b"").status_code == 204


def test_a_writer_that_was_paused_changes_nothing_any_more(stored_portal, begin):
    """Its lease ran out, somebody else went on, and then it wakes up."""
    portal = stored_portal
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, 10)
    paused = Writer.begin(portal.services, steward(portal), sending.id, offset=0)
    paused.append(b"XXXX")
    change(portal, sending.id, lease_expires_at=utc_now() - timedelta(seconds=1))

    if paused.open_parts.copies:
        assert sending.patch(0, b"01234").status_code == 204
        paused.append(b"YY")
        with pytest.raises(LeaseLost):
            paused.count()
        paused.close()
        assert sending.patch(5, b"56789").status_code == 204
    else:
        # Of a file the system knows that somebody holds it, whatever its lease says.
        with pytest.raises(UploadBusy):
            Writer.begin(portal.services, steward(portal), sending.id, offset=0)
        with pytest.raises(LeaseLost):
            paused.count()
        paused.close()
        assert sending.patch(0, b"0123456789").status_code == 204

    dataset = portal.steward.get(f"/datasets/{dataset_id}").json()
    assert dataset["sha256"] == hashlib.sha256(b"0123456789").hexdigest()
    [key] = portal.stored(f"datasets/{dataset_id}")
    assert portal.storage.get(key) == b"0123456789"


def test_an_upload_that_is_ended_under_a_writer_stops_it(
    portal, live_url, begin, row_of, wait_until
):
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, 10)
    with sending.open_patch(live_url, 0, 10) as slow:
        slow.sendall(b"01234")
        wait_until(lambda: row_of(portal, sending.id).lease_owner, "somebody writes")
        assert sending.delete().status_code == 204
        slow.sendall(b"56789")
        reply = http.client.HTTPResponse(slow)
        reply.begin()
    assert reply.status == 410
    assert portal.stored(f"datasets/{dataset_id}") == []

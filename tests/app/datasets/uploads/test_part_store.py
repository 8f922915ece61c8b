"""Bytes in a folder and in S3: what was counted stays, and what was not is written over."""

import hashlib
import random
import tracemalloc

import pytest

from app.core.storage import Storage
from app.datasets.uploads.part_store import PartsBusy, PartsLost, open_parts
from app.datasets.uploads.receive import CHECKPOINT_BYTES
from app.models import DatasetStatus

SIZE = 3 * CHECKPOINT_BYTES + 4567


def content_of(size, seed=1):
    return random.Random(seed).randbytes(size)


def test_an_archive_in_uneven_pieces_arrives_as_it_was(stored_portal, begin, broker):
    portal, content = stored_portal, content_of(SIZE)
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, SIZE)
    offset = 0
    for size in (1, 7_000_000, CHECKPOINT_BYTES + 3, SIZE):
        end = min(offset + size, SIZE)
        assert sending.patch(offset, content[offset:end]).status_code == 204
        offset = end
        assert sending.offset() == offset

    dataset = portal.steward.get(f"/datasets/{dataset_id}").json()
    assert dataset["sha256"] == hashlib.sha256(content).hexdigest()
    [key] = portal.stored(f"datasets/{dataset_id}")
    assert portal.storage.get(key) == content
    assert broker.messages() == [("cpu", "check_dataset", dataset_id)]


def test_the_sum_is_right_when_nobody_remembers_the_beginning(stored_portal, begin):
    """As after a restart: the archive is read once at its end."""
    portal, content = stored_portal, content_of(SIZE)
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, SIZE)
    sending.patch(0, content[:9_000_000])
    assert portal.services.digests.take(sending.id, 9_000_000) is not None

    assert sending.patch(9_000_000, content[9_000_000:]).status_code == 204

    dataset = portal.steward.get(f"/datasets/{dataset_id}").json()
    assert dataset["sha256"] == hashlib.sha256(content).hexdigest()


def test_bytes_that_were_written_and_not_counted_are_written_over(stored_portal, begin):
    """As a portal leaves them that is killed between a write and its count."""
    portal = stored_portal
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, 10)
    sending.patch(0, b"0123")
    folder = f"datasets/{dataset_id}/uploads/{sending.id}"
    goal = f"datasets/{dataset_id}/archive-x"
    killed = open_parts(portal.storage, folder, start=4, fence=1, goal=goal)
    killed.append(4, b"XXXXXX")
    killed.close()

    assert sending.offset() == 4
    assert sending.patch(4, b"45").status_code == 204
    assert sending.patch(6, b"6789").status_code == 204

    [key] = portal.stored(f"datasets/{dataset_id}")
    assert portal.storage.get(key) == b"0123456789"


def test_a_piece_that_was_dropped_leaves_nothing_of_it(stored_portal, begin):
    portal = stored_portal
    sending = begin(portal.steward, portal.new_dataset(), 10)
    sending.patch(0, b"0123")
    before = portal.stored("datasets")

    reply = sending.patch(4, b"XXXX", Upload_Checksum="sha256 " + "A" * 43 + "=")

    assert reply.status_code == 460
    assert portal.stored("datasets") == before
    assert sum(portal.storage.info(key).size for key in before) == 4


def test_bytes_that_somebody_removed_are_asked_for_again(stored_portal, begin, broker):
    portal = stored_portal
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, 10)
    sending.patch(0, b"0123")
    portal.storage.delete_folder(f"datasets/{dataset_id}")

    replies = [sending.patch(4, b"456789")]
    while replies[-1].status_code == 409 and len(replies) < 5:
        offset = replies[-1].json()["offset"]
        replies.append(sending.patch(offset, b"0123456789"[offset:]))

    assert [reply.status_code for reply in replies] == [409, 204]
    assert replies[0].json()["offset"] == 0
    [key] = portal.stored(f"datasets/{dataset_id}")
    assert portal.storage.get(key) == b"0123456789"
    assert len(broker.messages()) == 1


def test_a_rejected_archive_makes_way(stored_portal, begin):
    portal = stored_portal
    dataset_id = portal.rejected_dataset()
    [before] = portal.stored(f"datasets/{dataset_id}")

    assert begin(portal.steward, dataset_id, 6).patch(0, b"better").status_code == 204

    [after] = portal.stored(f"datasets/{dataset_id}")
    assert after != before


def test_memory_does_not_grow_with_the_archive(stored_portal, begin):
    portal, size = stored_portal, 12 * CHECKPOINT_BYTES
    sending = begin(portal.steward, portal.new_dataset(), size)
    piece = b"x" * 2**20

    tracemalloc.start()
    try:
        reply = sending.patch(0, (piece for _ in range(size // len(piece))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (reply.status_code, reply.headers["Upload-Offset"]) == (204, str(size))
    assert peak < size / 2


def test_a_dataset_that_is_deleted_takes_its_upload_with_it(stored_portal, begin):
    portal = stored_portal
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, 10)
    sending.patch(0, b"0123")

    assert portal.steward.delete(f"/datasets/{dataset_id}").status_code == 204

    assert portal.stored(f"datasets/{dataset_id}") == []
    assert sending.head().status_code == 410
    assert sending.patch(4, b"456789").status_code == 410
    assert portal.steward.get("/uploads").json()["items"] == []


def test_a_streamed_archive_ends_the_upload_that_it_outran(stored_portal, begin):
    portal = stored_portal
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, 10)
    sending.patch(0, b"0123")

    assert portal.steward.put(f"/datasets/{dataset_id}/archive", content=b"all").status_code == 202

    assert sending.head().status_code == 410
    assert portal.dataset_status(dataset_id) == DatasetStatus.CHECKING


class TestFile:
    @pytest.fixture
    def storage(self, tmp_path):
        return Storage((tmp_path / "objects").as_uri())

    def test_two_processes_do_not_write_at_once(self, storage):
        first = open_parts(storage, "a", start=0, fence=1, goal="b")
        with pytest.raises(PartsBusy):
            open_parts(storage, "a", start=0, fence=2, goal="b")
        first.close()
        open_parts(storage, "a", start=0, fence=2, goal="b").close()

    def test_fewer_bytes_than_were_counted_are_told(self, storage):
        parts = open_parts(storage, "a", start=0, fence=1, goal="b")
        parts.append(0, b"0123")
        parts.close()
        with pytest.raises(PartsLost) as lost:
            open_parts(storage, "a", start=5, fence=2, goal="b")
        assert lost.value.held == 4

    def test_a_name_that_was_changed_before_a_kill_is_changed_back(self, storage):
        parts = open_parts(storage, "a", start=0, fence=1, goal="b")
        parts.append(0, b"0123")
        parts.place("b")
        parts.close()
        again = open_parts(storage, "a", start=4, fence=2, goal="b")
        assert b"".join(again.read(4)) == b"0123"
        assert not storage.exists("b")
        again.close()

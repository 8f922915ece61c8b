"""Limits while it comes, the end by itself, and the end that a dead portal left to others."""

import hashlib
import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from app.background.sweeper import sweep
from app.background.upload_finisher import finish_complete
from app.core.clock import utc_now
from app.datasets.uploads import endpoints, service
from app.datasets.uploads.finish import finish
from app.datasets.uploads.receive import CHECKPOINT_BYTES, LARGEST_SUMMED
from app.datasets.uploads.writer import Writer
from app.models import DatasetStatus, Organisation, Upload, UploadStatus


def code_of(reply):
    return reply.json()["type"].rpartition(":")[2]


def allow(portal, stored_bytes):
    with portal.database.transaction() as session:
        home = session.get_one(Organisation, portal.organisation_id)
        home.quota = {"stored_bytes": stored_bytes}


def expire(portal, upload_id):
    with portal.database.transaction() as session:
        session.get_one(Upload, upload_id).expires_at = utc_now() - timedelta(seconds=1)


class TestRoom:
    def test_an_archive_that_has_no_room_is_refused_before_it_comes(self, portal, begin):
        allow(portal, 100)
        reply = begin(portal.steward, portal.new_dataset(), 101).reply
        assert (reply.status_code, code_of(reply), reply.json()["room"]) == (
            413,
            "quota-exceeded",
            100,
        )

    def test_what_has_arrived_of_others_takes_room(self, portal, begin):
        allow(portal, 100)
        begin(portal.steward, portal.new_dataset(), 90).patch(0, b"x" * 60)
        assert begin(portal.steward, portal.new_dataset(), 41).reply.status_code == 413
        assert begin(portal.steward, portal.new_dataset(), 40).reply.status_code == 201

    def test_room_that_others_have_filled_meanwhile_is_seen_while_it_comes(self, portal, begin):
        allow(portal, 100)
        first, second = (begin(portal.steward, portal.new_dataset(), 90) for _ in range(2))
        first.patch(0, b"x" * 60)
        second.patch(0, b"x" * 30)

        reply = second.patch(30, b"x" * 60)

        assert (reply.status_code, code_of(reply)) == (413, "quota-exceeded")
        assert second.offset() == 30
        assert first.delete().status_code == 204
        assert second.patch(30, b"x" * 60).status_code == 204

    def test_a_long_body_is_stopped_at_the_first_checkpoint_without_room(self, portal_with, begin):
        portal = portal_with(max_archive_bytes=10**9)
        sending = begin(portal.steward, portal.new_dataset(), 4 * CHECKPOINT_BYTES)
        allow(portal, 2 * CHECKPOINT_BYTES + 100_000)

        reply = sending.patch(0, (b"x" * 2**20 for _ in range(32)))

        assert (reply.status_code, code_of(reply)) == (413, "quota-exceeded")
        assert 0 < sending.offset() <= 2 * CHECKPOINT_BYTES + 100_000

    def test_a_body_that_counts_as_a_whole_is_no_longer_than_it_may_be(self, portal_with, begin):
        """Its bytes count when its sum is right, so no checkpoint would stop it."""
        portal = portal_with(max_archive_bytes=10**9)
        sending = begin(portal.steward, portal.new_dataset(), 2 * LARGEST_SUMMED)
        body = bytes(LARGEST_SUMMED + 1)
        pieces = (body[start : start + 2**20] for start in range(0, len(body), 2**20))
        right = f"sha256 {b64encode(hashlib.sha256(body).digest()).decode()}"

        declared = sending.patch(0, body, Upload_Checksum=right)
        streamed = sending.patch(0, pieces, Upload_Checksum=right)

        for reply in (declared, streamed):
            assert (reply.status_code, code_of(reply)) == (413, "upload-summed-body")
        assert sending.offset() == 0
        assert sum(info.size for info in portal.storage.list("datasets")) == 0
        assert sending.patch(0, body).status_code == 204

    def test_an_organisation_has_so_many_uploads_at_once(self, portal, begin, monkeypatch):
        monkeypatch.setattr(service, "MOST_UNFINISHED", 2)
        dataset_id = portal.new_dataset()
        first, second = (begin(portal.steward, dataset_id, 10) for _ in range(2))
        refused = begin(portal.steward, dataset_id, 10).reply
        assert (refused.status_code, code_of(refused)) == (409, "too-many-uploads")
        assert second.reply.status_code == 201

        assert first.delete().status_code == 204

        assert begin(portal.steward, dataset_id, 10).reply.status_code == 201

    def test_an_archive_that_fills_the_room_to_the_last_byte_is_taken(self, portal, begin):
        allow(portal, 100)
        sending = begin(portal.steward, portal.new_dataset(), 100)
        assert sending.patch(0, b"x" * 60).status_code == 204
        assert sending.patch(60, b"x" * 40).status_code == 204

    def test_a_limit_that_was_lowered_counts_for_what_has_begun(self, portal, begin, monkeypatch):
        sending = begin(portal.steward, portal.new_dataset(), 1000)
        sending.patch(0, b"x" * 10)
        lowered = portal.services.settings.model_copy(update={"max_archive_bytes": 500})
        object.__setattr__(portal.services, "settings", lowered)
        try:
            reply = sending.patch(10, b"x" * 10)
        finally:
            raised = lowered.model_copy(update={"max_archive_bytes": 1_000_000})
            object.__setattr__(portal.services, "settings", raised)
        assert (reply.status_code, code_of(reply)) == (413, "archive-too-large")


class TestExpired:
    def test_nothing_more_is_taken(self, portal, begin):
        sending = begin(portal.steward, portal.new_dataset(), 10)
        sending.patch(0, b"0123")
        expire(portal, sending.id)
        reply = sending.patch(4, b"456789")
        assert (reply.status_code, code_of(reply)) == (410, "upload-over")
        assert sending.head().status_code == 410
        assert portal.steward.get("/uploads").json()["items"] == []

    def test_the_sweeper_removes_what_had_arrived(self, stored_portal, begin):
        portal = stored_portal
        dataset_id = portal.new_dataset()
        sending, kept = (begin(portal.steward, dataset_id, 10) for _ in range(2))
        sending.patch(0, b"0123")
        kept.patch(0, b"01234")
        expire(portal, sending.id)

        sweep(portal.services)

        keys = portal.stored(f"datasets/{dataset_id}")
        assert keys
        assert all(kept.id in key for key in keys)
        assert sending.head().status_code == 410
        assert portal.dataset_status(dataset_id) == DatasetStatus.AWAITING_UPLOAD
        [entry] = portal.admin.get("/audit", params={"action": "upload.expired"}).json()["items"]
        assert (entry["subject"], entry["details"]) == (sending.id, {"received": 4})
        assert kept.patch(5, b"56789").status_code == 204

    def test_the_row_goes_later(self, portal, begin, row_of):
        sending = begin(portal.steward, portal.new_dataset(), 4)
        sending.patch(0, b"0123")
        sweep(portal.services)
        assert row_of(portal, sending.id).status == UploadStatus.DONE
        expire(portal, sending.id)
        sweep(portal.services)
        assert row_of(portal, sending.id) is None
        assert sending.head().status_code == 404

    def test_what_a_portal_left_that_died_over_a_removal_goes(self, portal, begin):
        dataset_id = portal.new_dataset()
        sending = begin(portal.steward, dataset_id, 10)
        sending.patch(0, b"0123")
        with portal.database.transaction() as session:
            session.get_one(Upload, sending.id).status = UploadStatus.ENDED
        sweep(portal.services)
        assert portal.stored(f"datasets/{dataset_id}") == []


class TestAbandonedAtTheEnd:
    """The last byte was counted, and the portal died before the archive was in its place."""

    @pytest.fixture
    def whole(self, stored_portal, begin, monkeypatch):
        def die(*_arguments, **_more):
            raise RuntimeError("as if killed")

        dataset_id = stored_portal.new_dataset()
        sending = begin(stored_portal.steward, dataset_id, 10)
        with monkeypatch.context() as patched:
            patched.setattr("app.datasets.uploads.endpoints.finish", die)
            assert sending.patch(0, b"0123456789").status_code == 500
        return stored_portal, dataset_id, sending

    def expect_arrived(self, portal, dataset_id):
        dataset = portal.steward.get(f"/datasets/{dataset_id}").json()
        assert dataset["status"] == "checking"
        assert dataset["sha256"] == hashlib.sha256(b"0123456789").hexdigest()
        [key] = portal.stored(f"datasets/{dataset_id}")
        assert portal.storage.get(key) == b"0123456789"

    def test_a_portal_finishes_it(self, whole, broker):
        portal, dataset_id, sending = whole
        assert sending.head().headers["Exchange-Upload-Status"] == "finishing"

        finish_complete(portal.services)

        self.expect_arrived(portal, dataset_id)
        assert broker.messages() == [("cpu", "check_dataset", dataset_id)]
        [entry] = portal.admin.get("/audit", params={"action": "dataset.uploaded"}).json()["items"]
        assert entry["actor"]["organisation"] == portal.organisation_id
        assert entry["actor"]["token"] is not None
        finish_complete(portal.services)
        assert len(broker.messages()) == 1

    def test_a_client_that_asks_again_finishes_it(self, whole, broker):
        portal, dataset_id, sending = whole
        reply = sending.patch(10, b"")
        assert (reply.status_code, reply.headers["Exchange-Dataset-Status"]) == (204, "checking")
        self.expect_arrived(portal, dataset_id)

    def test_a_commit_that_fails_leaves_it_to_be_finished_again(self, whole, monkeypatch):
        """The archive has got its name by then."""
        portal, dataset_id, sending = whole
        writer = Writer.resume(portal.services, sending.id)
        place = writer.parts.place

        def place_and_fail(key):
            place(key)
            raise ConnectionError("the database went away")

        monkeypatch.setattr(writer.parts, "place", place_and_fail)
        with pytest.raises(ConnectionError):
            finish(writer)
        writer.close()
        assert portal.dataset_status(dataset_id) == DatasetStatus.AWAITING_UPLOAD

        assert sending.patch(10, b"").status_code == 204

        self.expect_arrived(portal, dataset_id)

    def test_one_without_room_waits_for_it(self, whole):
        portal, dataset_id, sending = whole
        allow(portal, 5)
        finish_complete(portal.services)
        reply = sending.patch(10, b"")
        assert (reply.status_code, code_of(reply)) == (413, "quota-exceeded")
        assert portal.dataset_status(dataset_id) == DatasetStatus.AWAITING_UPLOAD
        allow(portal, 100)
        finish_complete(portal.services)
        self.expect_arrived(portal, dataset_id)


def test_many_that_end_at_once_leave_threads_to_others(portal, begin, monkeypatch, wait_until):
    """In an object store the end of each copies gigabytes."""
    released = threading.Event()

    def slowly(writer):
        released.wait()
        return finish(writer)

    monkeypatch.setattr(endpoints, "finish", slowly)
    sendings = [begin(portal.steward, portal.new_dataset(), 4) for _ in range(50)]
    with ThreadPoolExecutor(len(sendings)) as pool:
        try:
            replies = [pool.submit(sending.patch, 0, b"0123") for sending in sendings]
            wait_until(
                lambda: all(one["offset"] == 4 for one in listed(portal)), "every byte is here"
            )
            assert len(listed(portal)) == len(sendings)
        finally:
            released.set()
    assert {reply.result().status_code for reply in replies} == {204}


def listed(portal):
    return portal.steward.get("/uploads", params={"limit": 200}).json()["items"]

"""tus 1.0.0, extension by extension."""

import hashlib
from base64 import b64encode
from email.utils import parsedate_to_datetime

import pytest

from app.core.clock import utc_now
from app.core.security import Role
from app.models import DatasetStatus

CONTENT = bytes(range(256)) * 40
TUS = {"Tus-Resumable": "1.0.0"}


def sum_of(content, algorithm="sha256"):
    digest = hashlib.new(algorithm, content).digest()
    return f"{algorithm} {b64encode(digest).decode()}"


def code_of(reply):
    return reply.json()["type"].rpartition(":")[2]


def test_options_tell_what_the_portal_knows(client_without_token):
    reply = client_without_token.options("/api/v1/uploads")

    assert reply.status_code == 204
    assert reply.headers["Tus-Resumable"] == "1.0.0"
    assert reply.headers["Tus-Version"] == "1.0.0"
    assert set(reply.headers["Tus-Extension"].split(",")) == {
        "creation",
        "termination",
        "expiration",
        "checksum",
    }
    assert reply.headers["Tus-Checksum-Algorithm"] == "sha256,sha1"
    assert reply.headers["Tus-Max-Size"] == "1000000"


def test_pieces_become_the_archive_and_its_check_begins(portal, broker, begin):
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, len(CONTENT))
    assert sending.reply.status_code == 201
    assert sending.offset() == 0

    first = sending.patch(0, CONTENT[:4000])
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "4000")
    assert first.headers["Exchange-Upload-Status"] == "receiving"
    assert portal.dataset_status(dataset_id) == DatasetStatus.AWAITING_UPLOAD
    last = sending.patch(4000, CONTENT[4000:])

    assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(CONTENT)))
    assert last.headers["Exchange-Upload-Status"] == "done"
    assert last.headers["Exchange-Dataset-Status"] == "checking"
    dataset = portal.steward.get(f"/datasets/{dataset_id}").json()
    assert (dataset["status"], dataset["size"]) == ("checking", len(CONTENT))
    assert dataset["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    [key] = portal.stored(f"datasets/{dataset_id}")
    assert portal.storage.get(key) == CONTENT
    assert broker.messages() == [("cpu", "check_dataset", dataset_id)]


def test_head_tells_offset_length_and_what_it_was_told(portal, begin):
    sending = begin(portal.steward, portal.new_dataset(), 500)
    sending.patch(0, b"x" * 123)

    reply = sending.head()

    assert reply.headers["Upload-Offset"] == "123"
    assert reply.headers["Upload-Length"] == "500"
    assert b64encode(b"chest x-rays.zip").decode() in reply.headers["Upload-Metadata"]
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.content == b""


def test_a_reply_that_was_lost_can_be_asked_for_again(portal, begin, broker):
    sending = begin(portal.steward, portal.new_dataset(), 10)
    sending.patch(0, b"0123456789")

    again = sending.patch(10, b"")

    assert (again.status_code, again.headers["Exchange-Upload-Status"]) == (204, "done")
    assert sending.head().headers["Upload-Offset"] == "10"
    assert len(broker.messages()) == 1


@pytest.mark.parametrize("offset", [0, 3, 5, 10])
def test_another_offset_than_the_portals_changes_nothing(portal, begin, offset):
    sending = begin(portal.steward, portal.new_dataset(), 10)
    sending.patch(0, b"0123")

    reply = sending.patch(offset, b"x")

    assert (reply.status_code, code_of(reply)) == (409, "upload-offset")
    assert reply.headers["Upload-Offset"] == "4"
    assert sending.offset() == 4


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
@pytest.mark.parametrize("version", [None, "0.2.2"])
def test_another_version_is_refused(portal, begin, method, version):
    sending = begin(portal.steward, portal.new_dataset(), 10)
    headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    headers |= {} if version is None else {"Tus-Resumable": version}

    reply = portal.steward.request(method, sending.path, headers=headers)

    assert reply.status_code == 412
    assert reply.headers["Tus-Version"] == "1.0.0"
    assert sending.offset() == 0


def test_post_stands_for_methods_that_a_client_cannot_send(portal, begin):
    sending = begin(portal.steward, portal.new_dataset(), 10)
    headers = {
        **TUS,
        "X-HTTP-Method-Override": "PATCH",
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    }

    assert portal.steward.post(sending.path, headers=headers, content=b"0123").status_code == 204
    assert sending.offset() == 4
    override = {**TUS, "X-HTTP-Method-Override": "DELETE"}
    assert portal.steward.post(sending.path, headers=override).status_code == 204
    assert sending.head().status_code == 410


def test_bytes_of_another_type_are_not_taken(portal, begin):
    sending = begin(portal.steward, portal.new_dataset(), 10)

    reply = sending.patch(0, b"0123", Content_Type="application/octet-stream")

    assert (reply.status_code, code_of(reply)) == (415, "upload-content-type")
    assert sending.offset() == 0


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_more_than_was_announced_is_not_taken(portal, begin, declared):
    sending = begin(portal.steward, portal.new_dataset(), 10)
    sending.patch(0, b"0123")
    body = b"x" * 7

    reply = sending.patch(4, body if declared else iter([body]))

    assert (reply.status_code, code_of(reply)) == (413, "upload-length-exceeded")
    assert sending.offset() == 4


class TestCreation:
    def test_the_place_is_relative_so_that_it_holds_behind_a_proxy(self, portal, begin):
        sending = begin(portal.steward, portal.new_dataset(), 10)
        assert sending.path == f"/api/v1/uploads/{sending.reply.json()['id']}"

    @pytest.mark.parametrize(
        "metadata",
        ["", "dataset_id", "dataset_id !!!", "filename eC56aXA=", "dataset_id /w==", "é eA=="],
    )
    def test_metadata_that_names_no_dataset_is_refused(self, portal, metadata):
        headers = {**TUS, "Upload-Length": "10", "Upload-Metadata": metadata.encode()}
        reply = portal.steward.post("/uploads", headers=headers)
        assert (reply.status_code, code_of(reply)) == (422, "upload-metadata")
        assert portal.steward.get("/uploads").json()["items"] == []

    @pytest.mark.parametrize("length", [None, "-1", "ten", "1" * 30])
    def test_a_length_that_is_none_is_refused(self, portal, length):
        named = b64encode(portal.new_dataset().encode()).decode()
        headers = {**TUS, "Upload-Metadata": f"dataset_id {named}"}
        headers |= {} if length is None else {"Upload-Length": length}
        assert portal.steward.post("/uploads", headers=headers).status_code == 422

    def test_an_archive_of_no_byte_is_refused(self, portal, begin):
        reply = begin(portal.steward, portal.new_dataset(), 0).reply
        assert (reply.status_code, code_of(reply)) == (422, "archive-empty")

    def test_an_archive_over_the_limit_is_refused_before_it_comes(self, portal, begin):
        reply = begin(portal.steward, portal.new_dataset(), 1_000_001).reply
        assert (reply.status_code, code_of(reply)) == (413, "archive-too-large")
        assert begin(portal.steward, portal.new_dataset(), 1_000_000).reply.status_code == 201

    @pytest.mark.parametrize("state", ["uploaded_dataset", "ready_dataset"])
    def test_a_dataset_that_has_its_archive_takes_no_other(self, portal, begin, state):
        reply = begin(portal.steward, getattr(portal, state)(), 10).reply
        assert (reply.status_code, code_of(reply)) == (409, "dataset-not-awaiting-upload")

    def test_a_rejected_dataset_takes_another_archive(self, portal, begin):
        dataset_id = portal.rejected_dataset()
        sending = begin(portal.steward, dataset_id, 6)
        assert sending.patch(0, b"better").status_code == 204
        [key] = portal.stored(f"datasets/{dataset_id}")
        assert portal.storage.get(key) == b"better"

    def test_the_same_request_sent_again_begins_one_upload(self, portal, begin):
        dataset_id = portal.new_dataset()
        first = begin(portal.steward, dataset_id, 10, Idempotency_Key="k1")
        again = begin(portal.steward, dataset_id, 10, Idempotency_Key="k1")
        other = begin(portal.steward, dataset_id, 11, Idempotency_Key="k1")
        assert (first.path, again.reply.status_code) == (again.path, 201)
        assert (other.reply.status_code, code_of(other.reply)) == (422, "idempotency-key-reused")
        assert len(portal.steward.get("/uploads").json()["items"]) == 1


class TestChecksum:
    @pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
    def test_a_piece_with_its_sum_counts(self, portal, begin, algorithm):
        sending = begin(portal.steward, portal.new_dataset(), 10)
        reply = sending.patch(0, b"0123", Upload_Checksum=sum_of(b"0123", algorithm))
        assert (reply.status_code, sending.offset()) == (204, 4)

    def test_a_piece_with_another_sum_goes_alone(self, portal, begin):
        dataset_id = portal.new_dataset()
        sending = begin(portal.steward, dataset_id, 10)
        sending.patch(0, b"0123")

        reply = sending.patch(4, b"4X67", Upload_Checksum=sum_of(b"4567"))

        assert (reply.status_code, code_of(reply)) == (460, "upload-checksum-mismatch")
        assert sending.offset() == 4
        assert sending.patch(4, b"4567", Upload_Checksum=sum_of(b"4567")).status_code == 204
        assert sending.patch(8, b"89").status_code == 204
        dataset = portal.steward.get(f"/datasets/{dataset_id}").json()
        assert dataset["sha256"] == hashlib.sha256(b"0123456789").hexdigest()

    @pytest.mark.parametrize("header", ["md5 1B2M2Y8AsgTpgAmY7PhCfg==", "sha256", "sha256 eA=="])
    def test_a_sum_that_cannot_be_read_takes_nothing(self, portal, begin, header):
        sending = begin(portal.steward, portal.new_dataset(), 10)
        reply = sending.patch(0, b"0123", Upload_Checksum=header)
        assert (reply.status_code, code_of(reply)) == (400, "upload-checksum")
        assert sending.offset() == 0


class TestTermination:
    def test_what_has_arrived_goes_and_the_dataset_still_waits(self, portal, begin):
        dataset_id = portal.new_dataset()
        sending = begin(portal.steward, dataset_id, 10)
        sending.patch(0, b"0123")
        assert portal.stored(f"datasets/{dataset_id}")

        assert sending.delete().status_code == 204

        assert portal.stored(f"datasets/{dataset_id}") == []
        assert sending.head().status_code == 410
        assert sending.patch(4, b"4").status_code == 410
        assert sending.delete().status_code == 410
        assert begin(portal.steward, dataset_id, 10).patch(0, b"0123456789").status_code == 204

    def test_an_archive_that_has_arrived_is_its_datasets(self, portal, begin):
        sending = begin(portal.steward, portal.new_dataset(), 4)
        sending.patch(0, b"0123")
        reply = sending.delete()
        assert (reply.status_code, code_of(reply)) == (409, "upload-done")

    def test_the_log_tells_beginning_and_end_and_no_files_name(self, portal, begin):
        sending = begin(portal.steward, portal.new_dataset(), 10)
        sending.patch(0, b"0123")
        sending.delete()
        entries = portal.admin.get("/audit", params={"subject": sending.id}).json()["items"]
        assert [entry["action"] for entry in entries] == ["upload.ended", "upload.started"]
        assert entries[0]["details"] == {"received": 4}
        assert "chest" not in str(entries)


class TestExpiration:
    def test_every_piece_moves_the_end_on(self, portal, begin, row_of):
        sending = begin(portal.steward, portal.new_dataset(), 10)
        told = parsedate_to_datetime(sending.reply.headers["Upload-Expires"])
        assert 6.9 < (told - utc_now()).total_seconds() / 86400 < 7.1
        before = row_of(portal, sending.id).expires_at
        reply = sending.patch(0, b"0123")
        after = row_of(portal, sending.id).expires_at
        assert after > before
        assert parsedate_to_datetime(reply.headers["Upload-Expires"]) == after.replace(
            microsecond=0
        )


class TestWhoMay:
    def test_another_organisation_finds_nothing(self, portal, begin):
        sending = begin(portal.steward, portal.new_dataset(), 10)
        assert sending.head(portal.stranger).status_code == 404
        assert sending.patch(0, b"0123", member=portal.stranger).status_code == 404
        assert sending.delete(portal.stranger).status_code == 404
        assert portal.stranger.get("/uploads").json()["items"] == []
        assert begin(portal.stranger, portal.new_dataset(), 10).reply.status_code == 404
        assert sending.offset() == 0

    def test_a_colleague_goes_on(self, portal, begin):
        sending = begin(portal.steward, portal.new_dataset(), 10)
        sending.patch(0, b"0123")
        assert sending.patch(4, b"456789", member=portal.admin).status_code == 204

    def test_nobody_and_who_may_not_are_refused_before_a_byte_is_read(
        self, portal, begin, client_without_token, live_url
    ):
        sending = begin(portal.steward, portal.new_dataset(), 10**6)
        assert client_without_token.patch(sending.path, headers=TUS).status_code == 401
        # Announced and never sent: a portal that read first would wait for it.
        sending.member = portal.researcher
        with sending.open_patch(live_url, 0, 10**6) as connection:
            connection.settimeout(20)
            assert connection.recv(12) == b"HTTP/1.1 403"
        folder = portal.services.settings.data_dir / "objects"
        assert not [path for path in folder.rglob("*") if path.is_file()]

    def test_a_browsers_session_needs_its_csrf_token(self, portal, begin):
        portal.account(Role.STEWARD)
        browser = portal.browser()
        browser.sign_in("grey@st-anna.example")
        sending = begin(portal.steward, portal.new_dataset(), 10)
        path = sending.path.removeprefix("/api/v1")
        headers = {
            **TUS,
            "Upload-Offset": "0",
            "Content-Type": "application/offset+octet-stream",
        }
        known, browser.csrf_token = browser.csrf_token, None
        assert browser.request("PATCH", path, headers=headers, content=b"0123").status_code == 403
        assert sending.offset() == 0
        browser.csrf_token = known
        assert browser.request("PATCH", path, headers=headers, content=b"0123").status_code == 204


def test_the_list_is_of_what_can_go_on(portal, begin):
    going_on = begin(portal.steward, portal.new_dataset(), 10)
    going_on.patch(0, b"0123")
    begin(portal.steward, portal.new_dataset(), 4).patch(0, b"0123")
    begin(portal.steward, portal.new_dataset(), 4).delete()

    [item] = portal.steward.get("/uploads").json()["items"]

    assert item["id"] == going_on.id
    assert (item["offset"], item["length"], item["status"]) == (4, 10, "receiving")
    assert item["filename"] == "chest x-rays.zip"

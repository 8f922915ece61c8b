"""Stored objects that are gone, or are not as they were stored: pages and REST say so."""

import pytest

from app.core.security import Role
from app.models import DistillationStatus

DAMAGES = {
    "gone": lambda content: None,
    "empty": lambda content: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "no text": lambda content: b"\xff\xfe" + content,
    "another document": lambda content: b"[1, 2",
}


@pytest.fixture
def reader(portal):
    portal.account(Role.STEWARD, Role.RESEARCHER)
    browser = portal.browser()
    browser.sign_in("grey@st-anna.example")
    return browser


def damage(portal, prefix, how):
    for key in portal.stored(prefix):
        content = how(portal.storage.get(key))
        portal.storage.delete(key)
        if content is not None:
            portal.storage.put(key, content)


@pytest.mark.parametrize("how", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize(
    "address",
    ["", "/quality", "/quality/files", "/texts", "/thumbnails", "/findings", "/layout"],
)
def test_no_object_of_a_dataset_breaks_what_shows_it(portal, reader, how, address):
    dataset_id = portal.ready_dataset()
    portal.storage.put(f"datasets/{dataset_id}/refused.jsonl", b'{"name": "a", "code": "b"}\n')
    portal.storage.put(f"datasets/{dataset_id}/finding_files.json", b'{"near_duplicate": ["a"]}')
    damage(portal, f"datasets/{dataset_id}", how)

    page = reader.client.get(f"/datasets/{dataset_id}{address}", headers={"Accept": "text/html"})
    rest = portal.steward.get(f"/datasets/{dataset_id}{address}")

    assert page.status_code < 500, page.text
    assert rest.status_code < 500, rest.text


@pytest.mark.parametrize("how", DAMAGES.values(), ids=DAMAGES)
def test_no_object_of_a_distillation_breaks_what_shows_it(portal, reader, how):
    distillation_id = portal.ready_distillation()
    damage(portal, f"distillations/{distillation_id}", how)

    addresses = ["", "/report", "/publish"]
    pages = [
        reader.client.get(f"/distillations/{distillation_id}{one}", headers={"Accept": "text/html"})
        for one in addresses
    ]
    judged = portal.steward.post(
        f"/distillations/{distillation_id}/releases",
        json={"title": "A", "summary": "B.", "contact": "c@st-anna.example"},
    )

    assert [page.status_code for page in pages if page.status_code >= 500] == []
    assert 400 <= judged.status_code < 500, judged.text


@pytest.mark.parametrize("place", [0, 100, 5000, -1])
def test_a_bundle_with_a_flipped_bit_is_not_sent(portal, place):
    distillation_id = portal.ready_distillation()
    key = f"distillations/{distillation_id}/bundle.zip"
    content = bytearray(portal.storage.get(key))
    content[place] ^= 1
    portal.storage.put(key, bytes(content))

    replies = [
        portal.steward.get(f"/distillations/{distillation_id}/bundle", headers=headers)
        for headers in ({}, {"Range": "bytes=0-"}, {"Range": "bytes=-99999999"})
    ]

    assert [reply.status_code for reply in replies] == [404] * 3
    assert replies[0].json()["type"].endswith(":object-damaged")
    assert portal.row(distillation_id).status == DistillationStatus.READY


def test_a_release_with_a_flipped_bit_is_not_sent_and_not_counted(portal):
    release = portal.release()
    key = f"releases/{release['id']}/bundle.zip"
    content = bytearray(portal.storage.get(key))
    content[len(content) // 2] ^= 1
    portal.storage.put(key, bytes(content))

    reply = portal.steward.get(f"/releases/{release['id']}/bundle")

    assert reply.status_code == 404
    assert reply.json()["type"].endswith(":object-damaged")

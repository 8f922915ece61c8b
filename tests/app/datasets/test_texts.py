"""Which texts hold a release, whichever of composing and the search for text ends last."""

import json

import pytest

from app.datasets import texts
from app.models import Dataset, TextScan, TextScanStatus


@pytest.fixture
def dataset_id(portal):
    """Text was found in one picture, `ab12`; the search goes on."""
    made = portal.ready_dataset()
    with portal.database.transaction() as session:
        session.add(TextScan(dataset_id=made))
    return made


def holds(portal, dataset_id, status=TextScanStatus.WAITING, **columns):
    with portal.database.transaction() as session:
        texts.scan_of(session, dataset_id).status = status
        dataset = session.get_one(Dataset, dataset_id)
        for name, value in columns.items():
            setattr(dataset, name, value)
        session.flush()
        texts.hold_for_texts(session, portal.storage, dataset_id)
        return session.get_one(Dataset, dataset_id).open_holds


def test_pictures_that_nobody_looked_at_hold_a_release(portal, dataset_id):
    assert holds(portal, dataset_id) == {"text_in_picture": 1, "text_not_scanned": 174}


def test_a_failed_search_holds_it_too(portal, dataset_id):
    assert "text_not_scanned" in holds(portal, dataset_id, TextScanStatus.FAILED)


def test_composing_with_what_was_known_before_the_search_ended_loses_no_text(portal, dataset_id):
    """The check that began before it writes holds without a text, and asks again."""
    assert holds(portal, dataset_id, TextScanStatus.DONE, open_holds={}) == {"text_in_picture": 1}


def test_what_was_decided_and_other_findings_are_left_alone(portal, dataset_id):
    decided = {"decisions": {"keep_text": ["ab12"]}, "open_holds": {"patient_shaped_class": 1}}
    assert holds(portal, dataset_id, TextScanStatus.DONE, **decided) == {"patient_shaped_class": 1}


def test_of_a_withdrawn_picture_nothing_is_kept(portal, dataset_id):
    texts.store_texts(
        portal.storage,
        dataset_id,
        7,
        [{"path": path, "shown": "A/1.png", "boxes": []} for path in ("ab12", "cd34")],
    )

    for _ in range(2):
        texts.forget_texts(portal.storage, dataset_id, {"cd34"})

    assert [one["path"] for one in texts.found_texts(portal.storage, dataset_id)] == ["cd34"]
    assert texts.looked_at(portal.storage, dataset_id) == 7
    assert not portal.storage.exists(texts.picture_key(dataset_id, "ab12"))
    assert "ab12" not in json.dumps(portal.steward.get(f"/datasets/{dataset_id}/texts").json())


GONE = {"type": "urn:iadd-exchange:problem:text-scan-failed", "detail": "It ended."}


@pytest.fixture
def failed(portal, dataset_id):
    """The search failed; the archive is there."""
    portal.storage.put(f"datasets/{dataset_id}/archive", b"PK")
    key, read = f"datasets/{dataset_id}/archive", f"datasets/{dataset_id}/read"
    holds(portal, dataset_id, TextScanStatus.FAILED, archive_key=key, read_key=read)
    with portal.database.transaction() as session:
        scan = texts.scan_of(session, dataset_id)
        scan.problem, scan.done, scan.takeovers = GONE, 40, 3
    return dataset_id


def test_a_steward_starts_a_search_that_failed_again(portal, failed):
    address = f"/datasets/{failed}/texts"
    shown = portal.steward.get(address).json()
    assert (shown["problem"], shown["may_search_again"]) == (GONE, True)

    reply = portal.steward.post(f"{address}/search")

    assert reply.status_code == 202
    assert (reply.json()["status"], reply.json()["done"]) == ("waiting", 40)
    assert (reply.json()["problem"], reply.json()["may_search_again"]) == (None, False)
    again = portal.steward.post(f"{address}/search")
    assert (again.status_code, again.json()["type"].split(":")[-1]) == (
        409,
        "text-search-not-failed",
    )


def test_without_the_archive_the_way_out_is_a_next_version(portal, failed):
    portal.storage.delete(f"datasets/{failed}/archive")
    assert not portal.steward.get(f"/datasets/{failed}/texts").json()["may_search_again"]
    reply = portal.steward.post(f"/datasets/{failed}/texts/search")
    assert reply.status_code == 409
    assert reply.json()["type"].endswith(":archive-gone")
    assert "next version" in reply.json()["detail"]

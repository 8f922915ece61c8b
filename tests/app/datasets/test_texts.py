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

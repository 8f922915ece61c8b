"""The page of pictures with burned-in text."""

import json

import pytest

from app.core.security import Role
from app.models import DatasetStatus, TextScan, TextScanStatus
from tests.app.web.layouts import examined, row

FILES = ("a" * 32, "b" * 32, "c" * 32)


@pytest.fixture
def steward(reader):
    return reader(Role.STEWARD)


@pytest.fixture
def scanned(portal):
    """Three pictures with text wait for a decision."""
    dataset_id = examined(portal, findings=[])
    lines = [{"done": 174}] + [
        {"path": file, "shown": f"COVID/{number}.png", "boxes": [[10, 20, 200, 60]]}
        for number, file in enumerate(FILES)
    ]
    folder = f"datasets/{dataset_id}/texts"
    portal.storage.put(f"{folder}/found.jsonl", "\n".join(map(json.dumps, lines)).encode())
    for file in FILES:
        portal.storage.put(f"{folder}/{file}.png", b"\x89PNG")
    scan(portal, dataset_id, TextScanStatus.DONE, done=174, total=174, found=3)
    hold(portal, dataset_id, {"text_in_picture": 3})
    return dataset_id


def scan(portal, dataset_id, status, **values):
    with portal.database.transaction() as session:
        session.add(TextScan(dataset_id=dataset_id, status=status, **values))


def hold(portal, dataset_id, holds):
    with portal.database.transaction() as session:
        session.merge(row(portal, dataset_id)).open_holds = holds


def test_the_dataset_leads_to_the_texts_that_hold_a_release(scanned, steward):
    shown = steward.open(f"/datasets/{scanned}")
    assert "Text in pictures: 3" in shown
    assert f'href="/datasets/{scanned}/texts"' in shown


def test_each_picture_is_shown_with_its_boxes_to_those_who_decide(scanned, steward, reader):
    shown = steward.open(f"/datasets/{scanned}/texts")
    assert "3 pictures wait for a decision" in shown
    assert f"/texts/{FILES[0]}/picture" in shown
    assert '<rect x="10" y="20" width="190" height="40">' in shown
    reader(Role.RESEARCHER).open(f"/datasets/{scanned}/texts", status=403)
    reader(Role.STEWARD, elsewhere=True).open(f"/datasets/{scanned}/texts", status=404)


def test_texts_that_stay_change_no_image(portal, scanned, steward):
    address = f"/datasets/{scanned}/texts"
    reply = steward.send(address, address, **{f"text.{FILES[0]}": "keep"})
    assert reply.url.path == address
    assert "2 pictures wait for a decision" in reply.text
    assert "text stays" in reply.text
    assert row(portal, scanned).status == DatasetStatus.READY
    assert row(portal, scanned).open_holds == {"text_in_picture": 2}


def test_what_is_chosen_for_all_leaves_earlier_decisions_alone(portal, scanned, steward):
    address = f"/datasets/{scanned}/texts"
    steward.send(address, address, **{f"text.{FILES[0]}": "keep"})
    reply = steward.send(address, address, **{f"text.{FILES[1]}": "leave_out", "all": "blank"})
    assert reply.url.path == f"/datasets/{scanned}"
    assert row(portal, scanned).status == DatasetStatus.CHECKING
    decisions = row(portal, scanned).decisions
    assert decisions["keep_text"] == [FILES[0]]
    assert decisions["leave_out"] == [FILES[1]]
    assert list(decisions["blank"]) == [FILES[2]]


def test_nothing_chosen_changes_nothing(scanned, steward):
    address = f"/datasets/{scanned}/texts"
    reply = steward.send(address, address)
    assert reply.status_code == 422
    assert "Choose what becomes of at least one picture" in reply.text


def test_what_was_distilled_keeps_its_texts_or_nothing(portal, scanned, steward):
    portal.distillation(dataset_id=scanned)
    shown = steward.open(f"/datasets/{scanned}/texts")
    assert "The images cannot change any more" in shown
    assert 'value="blank"' not in shown
    assert 'value="keep"' in shown


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (TextScanStatus.WAITING, "100 of 174 pictures were searched"),
        (TextScanStatus.FAILED, "The search for text failed"),
    ],
)
def test_the_search_is_followed_where_it_holds_a_release(portal, steward, status, says):
    dataset_id = examined(portal, findings=[])
    scan(portal, dataset_id, status, done=100, total=174)
    hold(portal, dataset_id, {"text_not_scanned": 174})
    shown = steward.open(f"/datasets/{dataset_id}")
    assert "not searched for burned-in text yet: 174" in shown
    assert says in shown
    assert says in steward.open(f"/datasets/{dataset_id}/texts")


def test_a_search_that_failed_is_started_again_from_the_page(portal, steward, reader):
    dataset_id = examined(portal, findings=[])
    portal.storage.put("kept", b"PK")
    with portal.database.transaction() as session:
        dataset = session.merge(row(portal, dataset_id))
        dataset.archive_key, dataset.read_key = "kept", "read"
    scan(portal, dataset_id, TextScanStatus.FAILED, problem={"type": "x:y", "detail": "It ended."})
    hold(portal, dataset_id, {"text_not_scanned": 174})
    address = f"/datasets/{dataset_id}"
    assert "It ended." in steward.open(address)
    assert "A steward can start the search again" in reader(Role.RESEARCHER).open(address)

    reply = steward.send(address, f"{address}/texts/search")

    assert "The search for text goes on" in reply.text
    assert "Search again" not in steward.open(address)


def test_without_its_archive_a_search_cannot_be_repeated(portal, steward):
    dataset_id = examined(portal, findings=[])
    with portal.database.transaction() as session:
        session.merge(row(portal, dataset_id)).archive_key = None
    scan(portal, dataset_id, TextScanStatus.FAILED)
    hold(portal, dataset_id, {"text_not_scanned": 174})
    shown = steward.open(f"/datasets/{dataset_id}")
    assert "Upload the archive again as the next version" in shown
    assert "Search again" not in shown

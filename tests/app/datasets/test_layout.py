"""A person says how an archive is to be read."""

import json

import pytest

from app.models import Dataset, DatasetStatus

HOSPITALS = {"levels": ["site", "class"]}


def change(portal, dataset_id, **columns):
    with portal.database.transaction() as session:
        for name, value in columns.items():
            setattr(session.get_one(Dataset, dataset_id), name, value)


def problem(reply):
    return reply.json()["type"].rpartition(":")[2]


def test_what_was_found_is_shown_with_its_questions(portal):
    dataset_id = portal.unclear_dataset()

    read = portal.steward.get(f"/datasets/{dataset_id}/layout").json()

    assert read["status"] == "awaiting_mapping"
    assert read["layout"]["questions"] == ["Are these hospitals?"]
    assert read["mapping"] is None
    assert portal.steward.get(f"/datasets/{dataset_id}").json()["status"] == "awaiting_mapping"


def test_a_confirmed_mapping_has_the_archive_read(portal, broker):
    dataset_id = portal.unclear_dataset()
    broker.lose_messages()

    reply = portal.steward.put(f"/datasets/{dataset_id}/layout", json=HOSPITALS)

    assert reply.status_code == 202
    assert reply.json()["status"] == "checking"
    assert broker.messages() == [("cpu", "check_dataset", dataset_id)]
    read = portal.steward.get(f"/datasets/{dataset_id}/layout").json()
    assert read["mapping"]["levels"] == ["site", "class"]
    assert read["confirmed_by"]


def test_the_same_mapping_twice_changes_nothing(portal):
    dataset_id = portal.unclear_dataset()
    first = portal.steward.put(f"/datasets/{dataset_id}/layout", json=HOSPITALS).json()

    again = portal.steward.put(f"/datasets/{dataset_id}/layout", json=HOSPITALS)

    assert (again.status_code, again.json()) == (202, first)


def test_another_mapping_comes_too_late(portal):
    dataset_id = portal.unclear_dataset()
    portal.steward.put(f"/datasets/{dataset_id}/layout", json=HOSPITALS)

    reply = portal.steward.put(f"/datasets/{dataset_id}/layout", json={"levels": ["class"]})

    assert (reply.status_code, problem(reply)) == (409, "dataset-not-awaiting-mapping")


def test_a_mapping_for_an_archive_that_was_replaced_is_refused(portal):
    dataset_id = portal.unclear_dataset()

    reply = portal.steward.put(
        f"/datasets/{dataset_id}/layout", params={"archive_sha256": "0" * 64}, json=HOSPITALS
    )

    assert (reply.status_code, problem(reply)) == (409, "layout-of-another-archive")
    assert "GET /api/v1/datasets" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({}, "class"),
        ({"levels": ["klass"]}, "levels must be one of"),
        ({"levels": ["class", "class"]}, "twice"),
        ({"levels": ["class"], "colour": "red"}, "unknown key"),
        ({"csv": {"file": "a.csv", "columns": {"label": "x"}}}, "columns.file"),
        ({"levels": ["class"], "merge": {"A": "A"}}, "into itself"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_what_to_change(portal, mapping, said):
    dataset_id = portal.unclear_dataset()

    reply = portal.steward.put(f"/datasets/{dataset_id}/layout", json=mapping)

    assert (reply.status_code, problem(reply)) == (422, "mapping-invalid")
    assert said in reply.json()["detail"]
    assert portal.steward.get(f"/datasets/{dataset_id}").json()["status"] == "awaiting_mapping"


def test_a_mapping_that_led_to_no_dataset_may_be_corrected(portal):
    dataset_id = portal.unclear_dataset()
    portal.steward.put(f"/datasets/{dataset_id}/layout", json=HOSPITALS)
    change(portal, dataset_id, status=DatasetStatus.REJECTED, problem={"title": "One class"})

    reply = portal.steward.put(f"/datasets/{dataset_id}/layout", json={"levels": ["class"]})

    assert reply.status_code == 202


def test_another_archive_replaces_one_that_awaits_its_mapping(portal):
    dataset_id = portal.unclear_dataset()

    reply = portal.steward.put(f"/datasets/{dataset_id}/archive", content=b"another")

    assert (reply.status_code, reply.json()["status"]) == (202, "checking")
    assert portal.steward.get(f"/datasets/{dataset_id}/layout").status_code == 409


def test_there_is_no_layout_before_an_archive(portal):
    reply = portal.steward.get(f"/datasets/{portal.new_dataset()}/layout")
    assert (reply.status_code, problem(reply)) == (409, "layout-not-known")


def test_the_log_says_who_confirmed_and_not_what_folders_are_called(portal):
    dataset_id = portal.unclear_dataset()
    portal.steward.put(
        f"/datasets/{dataset_id}/layout", json={**HOSPITALS, "leave_out": ["Mustermann"]}
    )

    log = portal.admin.get("/audit", params={"limit": 50}).text

    assert "dataset.layout_confirmed" in log
    assert "Mustermann" not in log
    assert "Mustermann" not in json.dumps(portal.steward.get(f"/datasets/{dataset_id}").json())

"""A steward decides what becomes of a finding, and of pictures with text."""

import json

import pytest

from app.models import Dataset, DatasetStatus, DistillationStatus


@pytest.fixture
def dataset_id(portal):
    """One that was read with three findings, of which two name pictures."""
    made = portal.ready_dataset()
    findings = [
        {"code": "patient_shaped_class", "severity": "hold", "count": 1, "action": "merge"},
        {"code": "inverted", "severity": "warn", "count": 2, "action": "turn"},
        {"code": "near_duplicate", "severity": "info", "count": 1, "action": "leave_out"},
    ]
    put(portal, f"datasets/{made}/quality.json", {"images": 100, "findings": findings})
    files = {"inverted": ["aa", "bb"], "near_duplicate": ["cc"]}
    put(portal, f"datasets/{made}/finding-files.json", files)
    with portal.database.transaction() as session:
        row = session.get_one(Dataset, made)
        row.read_key = f"datasets/{made}/read"
        row.open_holds = {"patient_shaped_class": 1, "text_in_picture": 1}
    return made


def put(portal, key, document):
    portal.storage.put(key, json.dumps(document).encode())


def row(portal, dataset_id):
    with portal.database.reading() as session:
        return session.get_one(Dataset, dataset_id)


def decide(portal, dataset_id, code, **body):
    return portal.steward.post(f"/datasets/{dataset_id}/findings/{code}", json=body)


def problem(reply):
    return reply.json()["type"].rpartition(":")[2]


def test_an_accepted_finding_holds_no_release_and_changes_no_image(portal, dataset_id):
    reply = decide(portal, dataset_id, "patient_shaped_class", action="accept")

    assert reply.status_code == 202
    assert reply.json()["status"] == "ready"
    assert reply.json()["open_holds"] == {"text_in_picture": 1}
    assert row(portal, dataset_id).decisions["accepted"] == ["patient_shaped_class"]


@pytest.mark.parametrize(
    ("code", "action", "files"),
    [("inverted", "turn", ["aa", "bb"]), ("near_duplicate", "leave_out", ["cc"])],
)
def test_what_changes_images_has_the_dataset_checked_again(
    portal, dataset_id, broker, code, action, files
):
    broker.lose_messages()
    reply = decide(portal, dataset_id, code, action=action)

    assert reply.json()["status"] == "checking"
    assert row(portal, dataset_id).decisions == {action: files, "before": {}}
    assert broker.messages() == [("cpu", "check_dataset", dataset_id)]


def test_to_turn_twice_is_to_leave_as_it_was(portal, dataset_id):
    for _ in range(2):
        decide(portal, dataset_id, "inverted", action="turn")
        with portal.database.transaction() as session:
            session.get_one(Dataset, dataset_id).status = DatasetStatus.READY

    assert row(portal, dataset_id).decisions["turn"] == []


def test_classes_are_merged_into_classes_that_are_there(portal, dataset_id):
    refused = decide(
        portal, dataset_id, "patient_shaped_class", action="merge", merge={"COVID": "Nobody"}
    )
    assert (refused.status_code, problem(refused)) == (422, "decision-invalid")

    reply = decide(
        portal, dataset_id, "patient_shaped_class", action="merge", merge={"COVID": "Normal"}
    )
    assert reply.status_code == 202
    assert row(portal, dataset_id).decisions["merge"] == {"COVID": "Normal"}


@pytest.mark.parametrize(
    ("code", "body", "status", "said"),
    [
        ("lateral", {"action": "accept"}, 404, "finding-not-found"),
        ("near_duplicate", {"action": "turn"}, 422, "decision-invalid"),
        ("patient_shaped_class", {"action": "leave_out"}, 422, "decision-invalid"),
        ("inverted", {"action": "burn"}, 422, "invalid"),
    ],
)
def test_a_decision_that_does_not_fit_changes_nothing(portal, dataset_id, code, body, status, said):
    reply = decide(portal, dataset_id, code, **body)

    assert (reply.status_code, problem(reply)) == (status, said)
    assert row(portal, dataset_id).status == DatasetStatus.READY
    assert row(portal, dataset_id).decisions is None


def test_images_stay_as_they_are_once_something_was_distilled_from_them(portal, dataset_id):
    portal.distillation(DistillationStatus.READY, dataset_id)

    reply = decide(portal, dataset_id, "inverted", action="turn")

    assert (reply.status_code, problem(reply)) == (409, "dataset-cannot-change")
    assert "next version" in reply.json()["detail"]


def test_text_is_kept_blanked_or_left_out_picture_by_picture(portal, dataset_id):
    found = portal.steward.get(f"/datasets/{dataset_id}/texts").json()
    assert [one["file"] for one in found["items"]] == ["ab12"]
    assert found["items"][0]["decision"] is None

    kept = portal.steward.post(
        f"/datasets/{dataset_id}/texts", json={"decisions": {"ab12": "keep"}}
    )
    assert kept.json()["open_holds"] == {"patient_shaped_class": 1}
    assert kept.json()["status"] == "ready"

    blanked = portal.steward.post(
        f"/datasets/{dataset_id}/texts", json={"decisions": {"ab12": "blank"}}
    )
    assert blanked.json()["status"] == "checking"
    decisions = row(portal, dataset_id).decisions
    assert decisions["blank"] == {"ab12": [[0, 0, 300, 100]]}
    assert decisions["keep_text"] == []


def test_texts_that_were_not_found_are_refused(portal, dataset_id):
    reply = portal.steward.post(f"/datasets/{dataset_id}/texts", json={"decisions": {"zz": "keep"}})
    assert (reply.status_code, problem(reply)) == (422, "text-decision-invalid")


def test_the_picture_with_a_text_is_for_those_who_decide(portal, dataset_id):
    address = f"/datasets/{dataset_id}/texts/ab12/picture"
    assert portal.steward.get(address).headers["content-type"] == "image/png"
    assert portal.researcher.get(address).status_code == 403


def test_all_decisions_are_taken_back_at_once(portal, dataset_id):
    decide(portal, dataset_id, "patient_shaped_class", action="accept")

    reply = portal.steward.delete(f"/datasets/{dataset_id}/decisions")

    assert (reply.status_code, reply.json()["status"]) == (202, "checking")
    # Kept beside the new ones, in case nothing can be learnt with those.
    assert row(portal, dataset_id).decisions == {"before": {"accepted": ["patient_shaped_class"]}}

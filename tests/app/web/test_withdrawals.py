"""The pages of withdrawals: what is concerned, the form, and what became of it."""

import json

import pytest

from app.core.security import Role
from app.models import DatasetStatus
from app.withdrawals import service


@pytest.fixture
def released(portal):
    """A dataset with a release that another organisation has; its id, and the release."""
    release = portal.release()
    distillation = portal.steward.get(f"/distillations/{release['distillation_id']}").json()
    return distillation["dataset_id"], release


def withdraw(steward, dataset_id, **typed):
    address = f"/datasets/{dataset_id}/withdraw"
    return steward.send(address, address, **typed)


def test_the_form_shows_what_came_of_the_dataset(released, reader):
    dataset_id, release = released
    shown = reader(Role.STEWARD).open(f"/datasets/{dataset_id}/withdraw")
    assert release["title"] in shown
    assert "Every organisation that has a release made from them" in shown


def test_only_those_who_may_delete_may_withdraw(released, reader):
    dataset_id, _ = released
    reader(Role.RESEARCHER).open(f"/datasets/{dataset_id}/withdraw", status=403)


def test_images_of_patients_are_withdrawn_and_the_page_tells_how_far_it_is(
    released, portal, reader
):
    dataset_id, release = released
    steward = reader(Role.STEWARD)
    reply = withdraw(
        steward,
        dataset_id,
        what="files",
        files="COVID/1.png\r\n\r\n COVID/patient-7/ \r\n",
        reason="Consent was taken back.",
        confirm="chest",
    )
    assert reply.url.path.startswith("/withdrawals/wd_")
    assert "A worker is removing the images" in reply.text
    assert "COVID/1.png" not in reply.text
    assert portal.dataset_status(dataset_id) == DatasetStatus.CHECKING
    assert "Remove files" in steward.open(f"/datasets/{dataset_id}")
    withdrawal_id = reply.url.path.rpartition("/")[2]
    stored = portal.storage.get(service.files_key(withdrawal_id))
    assert len(json.loads(stored)["hashes"]) == 2
    assert b"COVID" not in stored, "a name that was typed may be a patient's"
    with portal.database.transaction() as session:
        service.conclude(session, withdrawal_id, images=2)
    done = steward.open(f"/withdrawals/{withdrawal_id}")
    assert "2 images were removed" in done
    assert release["title"] in done
    assert f"/distillations/{release['distillation_id']}" in done
    assert "Consent was taken back." in steward.open("/withdrawals")


def test_a_whole_dataset_is_withdrawn_at_once(released, portal, reader):
    dataset_id, release = released
    steward = reader(Role.STEWARD)
    reply = withdraw(
        steward, dataset_id, what="whole", reason="The study has ended.", confirm="chest"
    )
    assert "The whole dataset" in reply.text
    assert "deleted" in reply.text
    assert portal.stored(f"datasets/{dataset_id}") == []
    tombstone = portal.steward.get(f"/releases/{release['id']}").json()
    assert tombstone["status"] == "withdrawn"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"files": "a.png", "reason": "Consent.", "confirm": "no"}, "type chest"),
        ({"files": "", "reason": "Consent.", "confirm": "chest"}, "files"),
        ({"files": "a.png", "reason": "", "confirm": "chest"}, "reason"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_changed(released, portal, reader, typed, told):
    dataset_id, _ = released
    reply = withdraw(reader(Role.STEWARD), dataset_id, what="files", **typed)
    assert reply.status_code == 422
    assert told in reply.text
    assert portal.dataset_status(dataset_id) == DatasetStatus.READY


def test_leaving_releases_published_is_kept(released, portal, reader):
    dataset_id, release = released
    steward = reader(Role.STEWARD)
    reply = withdraw(
        steward, dataset_id, what="whole", reason="Ended.", keep_releases="true", confirm="chest"
    )
    assert "left published" in reply.text
    assert portal.steward.get(f"/releases/{release['id']}").json()["status"] == "published"


def test_nothing_of_another_organisation_is_shown(released, portal, reader):
    dataset_id, _ = released
    reply = portal.steward.post(
        f"/datasets/{dataset_id}/withdrawals", json={"whole_dataset": True, "reason": "Ended."}
    )
    stranger = reader(Role.STEWARD, elsewhere=True)
    stranger.open(f"/withdrawals/{reply.json()['id']}", status=404)
    assert "No withdrawals yet" in stranger.open("/withdrawals")

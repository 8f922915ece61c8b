"""A patient, or a whole dataset, takes part no longer."""

import json

import pytest

from app.models import DistillationStatus
from app.withdrawals import service
from app.withdrawals.service import named_files
from iadd.intake.deidentify.names import folder_hashes, path_hash
from iadd.intake.paths import path_parts

PURPOSE = {"purpose": "We train a triage network for our emergency department with it."}
REASON = {"reason": "A patient has withdrawn consent."}


def downloaded(portal, release):
    """Elsewhere has it."""
    grant = portal.steward.post(
        f"/releases/{release['id']}/grants", json={"organisation_id": portal.elsewhere_id}
    ).json()
    portal.recipient.post(
        f"/grants/{grant['id']}/acceptance", json={"terms_sha256": release["terms"]["sha256"]}
    )
    assert portal.recipient.get(f"/releases/{release['id']}/bundle").status_code == 200


def shared(portal):
    """A dataset, its distillation and the release that Elsewhere has."""
    distillation_id = portal.releasable_distillation()
    release = portal.release(distillation_id=distillation_id)
    downloaded(portal, release)
    dataset_id = portal.steward.get(f"/distillations/{distillation_id}").json()["dataset_id"]
    return dataset_id, distillation_id, release


def test_the_lineage_leads_to_every_recipient(portal):
    dataset_id, distillation_id, release = shared(portal)

    lineage = portal.steward.get(f"/datasets/{dataset_id}/lineage").json()

    assert [row["id"] for row in lineage["distillations"]] == [distillation_id]
    assert [row["id"] for row in lineage["releases"]] == [release["id"]]
    [recipient] = lineage["recipients"]
    assert recipient["organisation"] == "Elsewhere"
    assert (recipient["downloaded"], recipient["has_access"]) == (True, True)
    assert portal.stranger.get(f"/datasets/{dataset_id}/lineage").status_code == 404


def test_a_withdrawn_dataset_takes_its_releases_along_and_tells_who_has_them(portal):
    dataset_id, distillation_id, release = shared(portal)

    reply = portal.steward.post(
        f"/datasets/{dataset_id}/withdrawals", json={**REASON, "whole_dataset": True}
    )

    assert reply.status_code == 202
    assert reply.json()["status"] == "done"
    assert reply.json()["again"] == []
    assert portal.steward.get(f"/datasets/{dataset_id}").status_code == 404
    assert portal.stored(f"datasets/{dataset_id}") == []
    seen = portal.recipient.get(f"/releases/{release['id']}").json()
    assert (seen["status"], seen["withdrawal_reason"]) == ("withdrawn", REASON["reason"])
    kinds = [item["kind"] for item in portal.recipient.get("/notifications").json()["items"]]
    assert "release.withdrawn" in kinds
    again = portal.steward.post(
        f"/distillations/{distillation_id}/releases",
        json={"title": "Once more", "summary": "The same.", "contact": "a@b.example"},
    )
    assert again.json()["type"].endswith(":not-cleared")


def test_patients_files_wait_for_a_worker_and_are_named_nowhere_else(portal):
    dataset_id, _, release = shared(portal)

    reply = portal.steward.post(
        f"/datasets/{dataset_id}/withdrawals", json={**REASON, "files": ["COVID/mueller-1.png"]}
    )

    assert reply.json()["status"] == "removing"
    assert "mueller" not in reply.text
    assert portal.steward.get(f"/datasets/{dataset_id}").json()["status"] == "checking"
    assert portal.steward.get(f"/releases/{release['id']}").json()["status"] == "published"
    for path in ("/audit", "/withdrawals"):
        assert "mueller" not in portal.admin.get(path).text


@pytest.mark.parametrize("keep", [False, True])
def test_what_came_from_withdrawn_images_is_marked_when_they_are_gone(portal, keep):
    dataset_id, distillation_id, release = shared(portal)
    withdrawal = portal.steward.post(
        f"/datasets/{dataset_id}/withdrawals",
        json={**REASON, "files": ["COVID/1.png"], "keep_releases": keep},
    ).json()
    with portal.database.transaction() as session:
        service.conclude(session, withdrawal["id"], images=1)

    done = portal.steward.get(f"/withdrawals/{withdrawal['id']}").json()
    assert (done["status"], done["images"], done["again"]) == ("done", 1, [distillation_id])
    seen = portal.recipient.get(f"/releases/{release['id']}").json()
    assert seen["status"] == ("published" if keep else "withdrawn")
    assert seen["withdrawal_id"] == withdrawal["id"]
    told = [item["kind"] for item in portal.recipient.get("/notifications").json()["items"]]
    assert ("release.concerned" if keep else "release.withdrawn") in told
    marked = portal.steward.get(f"/distillations/{distillation_id}").json()
    assert marked["withdrawal_id"] == withdrawal["id"]


def test_a_marked_distillation_is_made_anew_and_not_gone_on_with(portal):
    dataset_id, distillation_id, _ = shared(portal)
    failed = portal.distillation(DistillationStatus.FAILED, dataset_id)
    withdrawal = portal.steward.post(
        f"/datasets/{dataset_id}/withdrawals", json={**REASON, "files": ["COVID/1.png"]}
    ).json()
    with portal.database.transaction() as session:
        service.conclude(session, withdrawal["id"], images=1)
    portal.make_ready(dataset_id)

    assert portal.steward.post(f"/distillations/{failed}/retry").status_code == 409
    again = portal.steward.post(f"/distillations/{distillation_id}/again")
    assert again.status_code == 202
    assert again.json()["withdrawal_id"] is None
    assert again.json()["dataset_id"] == dataset_id


def test_running_work_is_not_pulled_away(portal):
    distillation_id = portal.distillation()
    dataset_id = portal.steward.get(f"/distillations/{distillation_id}").json()["dataset_id"]
    reply = portal.steward.post(
        f"/datasets/{dataset_id}/withdrawals", json={**REASON, "whole_dataset": True}
    )
    assert reply.json()["type"].endswith(":dataset-in-use")


def test_it_is_the_stewards_to_withdraw(portal):
    dataset_id = portal.ready_dataset()
    path, body = f"/datasets/{dataset_id}/withdrawals", {**REASON, "whole_dataset": True}
    assert portal.researcher.post(path, json=body).status_code == 403
    assert portal.stranger.post(path, json=body).status_code == 404
    neither = portal.steward.post(path, json=REASON)
    both = portal.steward.post(path, json={**body, "files": ["a"]})
    assert (neither.status_code, both.status_code) == (422, 422)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("COVID/a.png", True),
        ("./COVID/a.png", True),
        ("COVID\\a.png", True),
        ("Normal/patient7/scan 1/b.png", True),
        ("COVID/a.png.png", False),
        ("Normal/patient70/b.png", False),
    ],
)
def test_files_are_found_by_the_hash_of_their_name_or_folder(name, named):
    key = b"k" * 32
    hashes = set(named_files(["COVID/a.png", "Normal/patient7/"], key)["hashes"])
    parts = path_parts(name)
    assert (not hashes.isdisjoint({path_hash(parts, key), *folder_hashes(parts, key)})) == named


def test_no_name_of_a_withdrawn_file_is_stored():
    stored = json.dumps(named_files(["COVID/Mustermann.png", "Normal/~3fa9c1/"], b"k" * 32))
    assert "Mustermann" not in stored
    assert json.loads(stored)["shown"] == ["Normal/~3fa9c1/"]

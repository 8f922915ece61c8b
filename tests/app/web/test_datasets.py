"""The pages of datasets: what each role sees and may do."""

import json

import pytest

from app.core.queue import Task
from app.core.security import Role
from app.datasets.repository import DatasetRepository
from app.models import DatasetStatus
from tests.fixtures.database import statements

QUALITY = {
    "images": 174,
    "image_size": 112,
    "classes": {},
    "refused": [
        *(
            {"name": f"COVID/{number}.png", "code": "duplicate", "reason": "It is there twice."}
            for number in range(120)
        ),
        {"name": "Normal/Meyer.png", "code": "truncated", "reason": "It is cut short."},
    ],
    "refused_count": 121,
    "ignored": [{"reason": "masks", "count": 3}],
    "changes": {"kept": 100, "added": 74, "removed": 2, "relabelled": 1},
}


@pytest.fixture
def found(portal):
    """A dataset whose check left files out."""
    dataset_id = portal.ready_dataset()
    portal.storage.put(f"datasets/{dataset_id}/quality.json", json.dumps(QUALITY).encode())
    return dataset_id


def test_whoever_has_no_dataset_is_led_to_one(reader):
    steward = reader(Role.STEWARD)
    shown = steward.open("/datasets")
    assert "No dataset yet" in shown
    assert 'href="/datasets/new"' in shown
    reply = steward.send("/datasets", "/datasets/sample")
    assert reply.url.path.startswith("/datasets/ds_")
    assert "Waiting for a worker" in reply.text
    assert "no patient is in it" in reply.text


def test_a_second_sample_is_the_first(reader, broker):
    steward = reader(Role.STEWARD)
    first = steward.send("/datasets/new", "/datasets/sample")
    second = steward.send("/datasets/new", "/datasets/sample")
    assert second.url == first.url
    assert "already has this sample cohort" in second.text
    dataset_id = first.url.path.rpartition("/")[2]
    assert broker.messages() == [("cpu", Task.CHECK_DATASET.value, dataset_id)]


def test_somebody_who_may_not_upload_is_told_whom_to_ask(portal, reader):
    researcher = reader(Role.RESEARCHER)
    shown = researcher.open("/datasets")
    assert "Ask a data steward" in shown
    assert 'href="/datasets/new"' not in shown
    researcher.open("/datasets/new", status=403)
    waiting = researcher.open(f"/datasets/{portal.new_dataset()}")
    assert "Ask a data steward" in waiting
    assert "data-upload" not in waiting
    ready = researcher.open(f"/datasets/{portal.ready_dataset()}")
    assert "/delete" not in ready
    assert "/withdraw" not in ready


def test_the_list_says_what_each_is(portal, reader):
    portal.new_dataset()
    portal.ready_dataset()
    portal.rejected_dataset()
    shown = reader(Role.STEWARD).open("/datasets")
    for word in ("waiting for upload", "ready", "rejected", "174"):
        assert word in shown


def test_a_long_list_goes_on_with_the_older_ones(portal, reader, monkeypatch):
    monkeypatch.setattr("app.web.pages.datasets.ROWS", 2)
    ids = [portal.new_dataset() for _ in range(3)]
    steward = reader(Role.STEWARD)
    first = steward.open("/datasets")
    assert [each in first for each in ids] == [False, True, True]
    address = first.split('href="?cursor=')[1].split('"')[0]
    older = steward.open(f"/datasets?cursor={address}")
    assert [each in older for each in ids] == [True, False, False]


def test_a_new_dataset_leads_to_its_upload(portal, reader):
    steward = reader(Role.STEWARD)
    reply = steward.send("/datasets/new", "/datasets/new", name="Ward 7", description="2024")
    dataset_id = reply.url.path.rpartition("/")[2]
    assert portal.dataset_status(dataset_id) == DatasetStatus.AWAITING_UPLOAD
    assert "Ward 7" in reply.text
    assert f'data-dataset="{dataset_id}"' in reply.text
    assert "upload.js" in reply.text
    assert (
        steward.client.get(f"/datasets/{dataset_id}/upload").url.path == f"/datasets/{dataset_id}"
    )


def test_a_name_that_will_not_do_is_told_in_the_form(reader):
    steward = reader(Role.STEWARD)
    form = steward.form("/datasets/new", "/datasets/new")
    reply = steward.client.post(
        form.action, data=form.fields | {"name": " "}, headers={"HX-Request": "true"}
    )
    assert reply.status_code == 422
    assert "name" in reply.text
    assert reply.headers["hx-retarget"] == "find .form-problem"


def test_the_next_version_of_a_dataset_names_the_one_before(portal, reader):
    before = portal.ready_dataset()
    steward = reader(Role.STEWARD)
    assert f"/datasets/new?previous={before}" in steward.open(f"/datasets/{before}")
    reply = steward.send(f"/datasets/new?previous={before}", "/datasets/new", name="chest")
    assert f'href="/datasets/{before}"' in reply.text
    assert f"/datasets/new?previous={before}" not in steward.open(f"/datasets/{before}")
    twice = steward.client.post(
        "/datasets/new",
        data=steward.form("/datasets/new", "/datasets/new").fields
        | {"name": "chest", "previous_id": before},
    )
    assert twice.status_code == 409


def test_nothing_of_another_organisation_is_shown(portal, reader):
    dataset_id = portal.ready_dataset()
    stranger = reader(Role.STEWARD, elsewhere=True)
    assert dataset_id not in stranger.open("/datasets")
    for part in ("", "/check", "/findings", "/withdraw", "/upload"):
        stranger.open(f"/datasets/{dataset_id}{part}", status=404)
    stranger.open(f"/datasets/new?previous={dataset_id}", status=404)


def test_a_ready_dataset_says_what_is_in_it_and_what_was_left_out(found, reader):
    shown = reader(Role.STEWARD).open(f"/datasets/{found}")
    for word in ("COVID", "Normal", "174 images are used", "121 files were left out"):
        assert word in shown
    assert "COVID/4.png" in shown
    assert "COVID/5.png" not in shown, "the rest is one click away"
    assert f"/datasets/{found}/findings?code=duplicate" in shown
    assert f"/api/v1/datasets/{found}/thumbnails/0000.png" in shown
    assert "74 images added, 2 removed, 100 unchanged" in shown
    assert f"/datasets/{found}/distill" in shown


def test_that_somebody_looked_at_the_findings_is_in_the_log(found, portal, reader):
    reader(Role.STEWARD).open(f"/datasets/{found}")
    entries = portal.admin.get("/audit").json()["items"]
    assert "dataset.quality_seen" in [entry["action"] for entry in entries]


def test_files_are_found_by_reason_and_by_name_and_no_name_is_in_an_address(found, reader):
    steward = reader(Role.STEWARD)
    address = f"/datasets/{found}/findings"
    shown = steward.open(f"{address}?code=duplicate")
    assert "COVID/99.png" in shown
    assert "COVID/100.png" not in shown
    assert "page 1 of 2" in shown
    assert "COVID/100.png" in steward.send(address, address, code="duplicate", page="2").text
    reply = steward.send(address, address, text="meyer")
    assert "Normal/Meyer.png" in reply.text
    assert "COVID/1.png" not in reply.text
    assert "Meyer" not in str(reply.url)
    part = steward.client.post(
        address,
        data=steward.form(address, address).fields | {"text": "nobody"},
        headers={"HX-Request": "true"},
    )
    assert "No file that was left out matches" in part.text
    assert "<html" not in part.text


def test_the_page_follows_the_check_until_it_is_over(portal, reader):
    dataset_id = portal.uploaded_dataset()
    steward = reader(Role.STEWARD)
    assert "Waiting for a worker" in steward.open(f"/datasets/{dataset_id}")
    address = f"/datasets/{dataset_id}/check"
    with portal.database.transaction() as session:
        dataset = DatasetRepository(session).load(dataset_id)
        dataset.progress = {"phase": "reading", "done": 1250, "total": 5000, "unit": "files"}
    told = steward.open(address)
    assert "1\u202f250 of 5\u202f000 files" in told
    seen = told.split("seen=")[1].split('"')[0]
    assert steward.client.get(f"{address}?seen={seen}").status_code == 204
    portal.make_ready(dataset_id)
    over = steward.client.get(f"{address}?seen={seen}")
    assert over.headers["hx-refresh"] == "true"
    assert "Waiting for a worker" not in steward.open(f"/datasets/{dataset_id}")


def test_a_rejected_dataset_says_why_and_takes_another_archive(portal, reader):
    dataset_id = portal.uploaded_dataset()
    with portal.database.transaction() as session:
        datasets = DatasetRepository(session)
        fence = datasets.claim(dataset_id, owner="test", seconds=60)
        problem = {"title": "The archive holds no image", "detail": "Pack PNG files."}
        datasets.mark_rejected(dataset_id, fence=fence, problem=problem)
    shown = reader(Role.STEWARD).open(f"/datasets/{dataset_id}")
    assert "The archive holds no image" in shown
    assert "Pack PNG files." in shown
    assert "upload the archive again below" in shown
    assert "data-upload" in shown


def test_a_fault_of_the_portal_is_checked_again(portal, reader):
    dataset_id = portal.uploaded_dataset()
    with portal.database.transaction() as session:
        datasets = DatasetRepository(session)
        fence = datasets.claim(dataset_id, owner="test", seconds=60)
        problem = {"title": "The disc is full", "detail": "Nothing was kept.", "status": 507}
        datasets.mark_rejected(dataset_id, fence=fence, problem=problem)
    address = f"/datasets/{dataset_id}"
    assert f"{address}/check" not in reader(Role.RESEARCHER).open(address)
    reply = reader(Role.STEWARD).send(address, f"{address}/check")
    assert reply.url.path == address
    assert "Waiting for a worker" in reply.text
    assert portal.dataset_status(dataset_id) == DatasetStatus.CHECKING


def test_a_dataset_is_deleted_by_its_name_alone(portal, reader):
    dataset_id = portal.ready_dataset()
    steward = reader(Role.STEWARD)
    address, action = f"/datasets/{dataset_id}", f"/datasets/{dataset_id}/delete"
    refused = steward.send(address, action, confirm="breast")
    assert refused.status_code == 422
    assert "Nothing was changed" in refused.text
    reply = steward.send(address, action, confirm="chest")
    assert reply.url.path == "/datasets"
    assert "The dataset is deleted" in reply.text
    steward.open(address, status=404)
    assert portal.stored(f"datasets/{dataset_id}") == []


def test_what_a_distillation_uses_is_not_deleted(portal, reader):
    dataset_id = portal.ready_dataset()
    portal.distillation(dataset_id=dataset_id)
    reply = reader(Role.STEWARD).send(
        f"/datasets/{dataset_id}", f"/datasets/{dataset_id}/delete", confirm="chest"
    )
    assert reply.status_code == 409
    assert portal.dataset_status(dataset_id) == DatasetStatus.READY


def test_what_came_of_a_dataset_is_linked(portal, reader):
    release = portal.release()
    distillation = portal.steward.get(f"/distillations/{release['distillation_id']}").json()
    shown = reader(Role.RESEARCHER).open(f"/datasets/{distillation['dataset_id']}")
    assert f'href="/distillations/{distillation["id"]}"' in shown
    assert f'href="/releases/{release["id"]}"' in shown


def test_a_long_list_asks_the_database_no_more_often_than_a_short_one(portal, reader):
    steward = reader(Role.STEWARD)

    def asked(address: str) -> int:
        with statements(portal.database.engine) as seen:
            steward.open(address)
        return len(seen)

    first = portal.ready_dataset()
    short = asked("/datasets"), asked(f"/datasets/{first}")
    for number in range(12):
        portal.distillation(dataset_id=first)
        portal.steward.post("/datasets", json={"name": f"more {number}"})
    assert (asked("/datasets"), asked(f"/datasets/{first}")) == short

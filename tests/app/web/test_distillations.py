"""The list of distillations, and the page of one."""

import json
import re

import pytest

from app.core.security import Role
from app.distillations.repository import DistillationRepository
from app.models import DistillationStatus, EventKind
from tests.fixtures.database import statements

STATUSES = list(DistillationStatus)


def test_an_empty_list_says_where_to_begin(reader):
    page = reader(Role.RESEARCHER).open("/distillations")
    assert "No distillation yet" in page
    assert 'href="/guide"' in page


def test_the_list_shows_status_progress_and_verdict(portal, reader):
    running = portal.distillation(DistillationStatus.DISTILLING)
    with portal.database.transaction() as session:
        row = DistillationRepository(session).load(running)
        row.phases = {"distilling": {"done": 120, "total": 500, "unit": "iterations"}}
        row.eta_seconds = 600.0
    portal.releasable_distillation()
    page = reader(Role.RESEARCHER).open("/distillations")
    assert f'href="/distillations/{running}"' in page
    assert "120 of 500" in page
    assert "about 10 min left" in page
    assert "no leak detected (limited tests)" in page


def test_the_page_of_one_that_waits_says_for_what_and_asks_again(portal, reader, add_worker):
    waiting = portal.distillation()
    researcher = reader(Role.RESEARCHER)
    page = researcher.open(f"/distillations/{waiting}")
    assert "Waiting for a worker: none takes this step at present" in page
    assert 'hx-trigger="every 15s"' in page
    add_worker(row_id="ds_other")
    assert "Waiting for a worker: all for this step are busy." in researcher.open(
        f"/distillations/{waiting}/progress"
    )
    portal.claim(waiting)
    assert "every 15s" not in researcher.open(f"/distillations/{waiting}/progress")


def test_the_list_of_one_dataset_has_no_other(portal, reader):
    one, other = portal.distillation(), portal.distillation()
    dataset_id = portal.row(one).dataset_id
    page = reader(Role.RESEARCHER).open(f"/distillations?dataset={dataset_id}")
    assert one in page
    assert other not in page
    nothing = portal.ready_dataset()
    page = reader(Role.RESEARCHER).open(f"/distillations?dataset={nothing}")
    assert "No distillation of this dataset yet" in page
    assert f'href="/datasets/{nothing}/distill"' in page


def test_the_list_goes_on_with_older_ones(portal, reader):
    dataset_id = portal.ready_dataset()
    made = [portal.distillation(DistillationStatus.CANCELLED, dataset_id) for _ in range(26)]
    researcher = reader(Role.RESEARCHER)
    page = researcher.open(f"/distillations?dataset={dataset_id}")
    assert made[0] not in page
    older = re.search(r'class="older"><a[^>]*href="([^"]*)"', page)
    assert older, page
    rest = researcher.open("/distillations" + older[1].replace("&amp;", "&"))
    assert made[0] in rest
    assert made[-1] not in rest


def test_a_list_asks_as_often_for_many_as_for_one(portal, reader):
    researcher = reader(Role.RESEARCHER)

    def queries() -> int:
        with statements(portal.database.engine) as seen:
            researcher.open("/distillations")
        return len(seen)

    portal.distillation()
    few = queries()
    for _ in range(5):
        portal.distillation()
    assert queries() == few


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_a_page(portal, reader, status):
    distillation_id = portal.distillation(status)
    page = reader(Role.RESEARCHER).open(f"/distillations/{distillation_id}")
    assert f'data-status="{status.value}"' in page
    assert "Training teachers" in page


def test_one_that_waits_says_so_and_offers_to_cancel(portal, reader):
    distillation_id = portal.distillation()
    researcher = reader(Role.RESEARCHER)
    address = f"/distillations/{distillation_id}"
    assert "Waiting for a worker" in researcher.open(address)
    page = researcher.send(address, f"{address}/cancel").text
    assert 'data-status="cancelled"' in page
    assert "What was computed is kept" in page
    assert portal.row(distillation_id).status == DistillationStatus.CANCELLED


def test_what_was_done_so_far_is_in_the_page_itself(portal, reader):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    with portal.database.transaction() as session:
        repository = DistillationRepository(session)
        row = repository.load(distillation_id)
        row.phases = {
            "teaching": {"done": 16, "total": 16, "unit": "epochs"},
            "distilling": {"done": 50, "total": 200, "unit": "iterations"},
        }
        row.timings = {"teaching": 65.0, "distilling": 100.0}
        row.eta_seconds = 700.0
        repository.log(distillation_id, DistillationStatus.DISTILLING, "Less memory: <halves>.")
    page = reader(Role.RESEARCHER).open(f"/distillations/{distillation_id}")
    assert "done in 1 min 5 s" in page
    assert 'max="200" value="50"' in page
    assert "about 5 min left" in page  # of this phase: 150 more at two seconds each
    assert "About 11 min left until everything is done" in page
    assert "Less memory: &lt;halves&gt;." in page
    assert f'data-follow="/api/v1/distillations/{distillation_id}/events"' in page


def test_fragments_are_what_the_page_holds(portal, reader):
    distillation_id = portal.distillation(DistillationStatus.TEACHING)
    researcher = reader(Role.RESEARCHER)
    for part in ("state", "progress"):
        fragment = researcher.open(f"/distillations/{distillation_id}/{part}")
        assert "<html" not in fragment
    assert 'data-status="teaching"' in researcher.open(f"/distillations/{distillation_id}/state")


def test_only_the_latest_of_the_log_are_in_the_page(portal, reader):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    with portal.database.transaction() as session:
        events = DistillationRepository(session).events
        for number in range(210):
            message = f"step {number}."
            events.append(distillation_id, EventKind.LOG, {"phase": "x", "message": message})
    page = reader(Role.RESEARCHER).open(f"/distillations/{distillation_id}")
    assert "step 9." not in page
    assert page.index("step 10.") < page.index("step 209.")


def test_one_that_failed_says_why_and_goes_on(portal, reader):
    problem = {"title": "The GPU was lost", "detail": "The last checkpoint is kept. Try again."}
    distillation_id = portal.distillation()
    portal.advance(distillation_id, DistillationStatus.FAILED, problem=problem)
    address = f"/distillations/{distillation_id}"
    researcher = reader(Role.RESEARCHER)
    page = researcher.open(address)
    assert "The GPU was lost" in page
    assert "The last checkpoint is kept" in page
    researcher.send(address, f"{address}/retry")
    assert portal.row(distillation_id).status == DistillationStatus.QUEUED


def test_one_that_is_ready_tells_its_verdicts_and_where_they_come_from(portal, reader):
    distillation_id = portal.releasable_distillation()
    page = reader(Role.STEWARD).open(f"/distillations/{distillation_id}")
    assert "Networks trained on the 4 distilled images reach 75 %" in page
    assert "no leak detected (limited tests)" in page
    assert "It can be released" in page
    for address in ("report", "release"):
        assert f'href="/distillations/{distillation_id}/{address}"' in page
    for file in ("bundle", "report.json"):
        assert f'href="/api/v1/distillations/{distillation_id}/{file}"' in page


def test_what_the_gate_refuses_is_told_with_its_reason(portal, reader):
    privacy = {"verdict": "refuted", "statement": "A copy was found.", "metrics": []}
    distillation_id = portal.releasable_distillation(privacy=privacy)
    page = reader(Role.STEWARD).open(f"/distillations/{distillation_id}")
    assert "A copy was found." in page
    assert "It stays within your organisation for now. The audit refuted it" in page


def test_a_report_with_nothing_in_it_is_no_failure(portal, reader):
    page = reader(Role.RESEARCHER).open(f"/distillations/{portal.ready_distillation()}")
    assert "Not measured." in page


def test_again_begins_a_new_one(portal, reader):
    distillation_id = portal.ready_distillation()
    address = f"/distillations/{distillation_id}"
    reply = reader(Role.RESEARCHER).send(address, f"{address}/again")
    assert reply.url.path.startswith("/distillations/dl_")
    assert distillation_id not in reply.url.path


def test_deleting_asks_for_the_name_on_the_server_too(portal, reader):
    distillation_id = portal.ready_distillation()
    address = f"/distillations/{distillation_id}"
    steward = reader(Role.STEWARD)
    reply = steward.send(address, f"{address}/delete", confirm="something else")
    assert reply.status_code == 422
    assert "Nothing was changed" in reply.text
    assert portal.row(distillation_id).deleted_at is None
    reply = steward.send(address, f"{address}/delete", confirm="chest")
    assert reply.url.path == "/distillations"
    assert "The distillation was deleted" in reply.text
    assert portal.stored(f"distillations/{distillation_id}") == []


def test_a_researcher_does_not_delete(portal, reader):
    distillation_id = portal.ready_distillation()
    researcher = reader(Role.RESEARCHER)
    address = f"/distillations/{distillation_id}"
    assert "Delete this distillation" not in researcher.open(address)
    token = researcher.form(address, f"{address}/again").fields["csrf_token"]
    reply = researcher.client.post(
        f"{address}/delete", data={"confirm": "chest", "csrf_token": token}
    )
    assert reply.status_code == 403
    assert portal.row(distillation_id).deleted_at is None


def test_the_page_outlives_the_dataset(portal, reader):
    distillation_id = portal.ready_distillation()
    reply = portal.steward.delete(f"/datasets/{portal.row(distillation_id).dataset_id}")
    assert reply.status_code == 204, reply.text
    page = reader(Role.RESEARCHER).open(f"/distillations/{distillation_id}")
    assert "deleted since" in page
    assert "/again" not in page


@pytest.mark.parametrize("part", ["", "/state", "/progress"])
def test_another_organisation_sees_none_of_it(portal, reader, part):
    distillation_id = portal.ready_distillation()
    stranger = reader(Role.ADMIN, elsewhere=True)
    stranger.open(f"/distillations/{distillation_id}{part}", status=404)
    assert distillation_id not in stranger.open("/distillations")


@pytest.mark.parametrize("action", ["cancel", "retry", "again", "delete"])
def test_another_organisation_changes_nothing(portal, reader, action):
    distillation_id = portal.ready_distillation()
    stranger = reader(Role.ADMIN, elsewhere=True)
    token = stranger.form("/distillations", "/sign-out").fields["csrf_token"]
    reply = stranger.client.post(
        f"/distillations/{distillation_id}/{action}",
        data={"confirm": "chest", "csrf_token": token},
    )
    assert reply.status_code == 404
    assert portal.row(distillation_id).status == DistillationStatus.READY


def test_an_auditor_is_told_that_their_role_does_not_reach_here(portal, reader):
    distillation_id = portal.ready_distillation()
    page = reader(Role.AUDITOR).open(f"/distillations/{distillation_id}", status=403)
    assert "Ask an admin" in page


def test_a_report_that_is_gone_leaves_a_page(portal, reader):
    distillation_id = portal.releasable_distillation()
    portal.storage.delete(f"distillations/{distillation_id}/report.json")
    page = reader(Role.RESEARCHER).open(f"/distillations/{distillation_id}")
    assert 'data-status="ready"' in page


def test_the_preset_and_what_differs_from_it_is_shown(portal, reader):
    reply = portal.steward.post(
        f"/datasets/{portal.ready_dataset()}/distillations",
        json={"preset": "cpu_demo", "overrides": {"iterations": 7, "baseline_lrs": [0.01, 0.1]}},
    )
    page = reader(Role.RESEARCHER).open(f"/distillations/{reply.json()['id']}")
    assert "2 settings differ from the preset" in page
    assert "<dd>7</dd>" in page
    assert "<dd>0.01, 0.1</dd>" in page
    assert json.dumps([0.01, 0.1]) not in page

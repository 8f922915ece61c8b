"""Following a distillation: by asking, and by its event stream over a real socket."""

import json
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from sqlalchemy import event

from app.core.security import Role
from app.distillations import feeds
from app.distillations.repository import DistillationRepository
from app.models import DistillationStatus, EventKind
from tests.fixtures.waiting import wait_until


def work(portal, distillation_id, fence, **values):
    """One report of progress, as a worker writes it."""
    with portal.database.transaction() as session:
        distillations = DistillationRepository(session)
        distillations.write(distillation_id, fence=fence, **values)
        distillations.events.append(
            distillation_id, EventKind.PROGRESS, values["phases"]["distilling"]
        )


@pytest.fixture
def follow(portal, live_url):
    """Read the stream to its end; every event as (id, kind, data)."""

    def read(distillation_id, last_event_id=None):
        headers = {"Authorization": f"Bearer {portal.researcher.token}"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        url = f"{live_url}/api/v1/distillations/{distillation_id}/events"
        events, fields = [], {}
        with httpx.stream("GET", url, headers=headers, timeout=20) as reply:
            if reply.status_code == 204:
                return None
            assert reply.status_code == 200, reply.read()
            assert reply.headers["content-type"].startswith("text/event-stream")
            for line in reply.iter_lines():
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    told = (int(fields["id"]), fields["event"], json.loads(fields["data"]))
                    events.append(told)
                    fields = {}
        return events

    return read


def test_progress_of_the_phase_and_of_all(portal):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    fence = portal.claim(distillation_id)
    phases = {
        "teaching": {"done": 36, "total": 36, "unit": "epochs"},
        "distilling": {"done": 12, "total": 60, "unit": "iterations"},
    }
    work(portal, distillation_id, fence, phases=phases, eta_seconds=90, metrics={"loss": 0.8})

    body = portal.researcher.get(f"/distillations/{distillation_id}").json()

    assert body["status"] == body["phase"] == "distilling"
    assert body["progress"] == phases["distilling"]
    assert body["phases"] == phases
    assert body["eta_seconds"] == 90
    assert body["metrics"] == {"loss": 0.8}
    assert body["verdict"] is None


def test_a_failed_one_says_where_and_why(portal):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    problem = {"type": "urn:iadd-exchange:problem:x", "title": "No", "status": 500, "detail": "…"}
    phases = {"distilling": {"done": 3, "total": 60, "unit": "iterations"}}
    portal.advance(distillation_id, DistillationStatus.FAILED, problem=problem, phases=phases)

    body = portal.researcher.get(f"/distillations/{distillation_id}").json()

    assert body["status"] == "failed"
    assert body["phase"] == "distilling"
    assert body["progress"]["done"] == 3
    assert body["problem"] == problem
    assert body["finished_at"] is not None


def test_the_stream_tells_everything_in_order_and_ends(portal, follow):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    fence = portal.claim(distillation_id)
    told = []
    reader = threading.Thread(target=lambda: told.extend(follow(distillation_id)))
    reader.start()
    for done in range(1, 4):
        phases = {"distilling": {"done": done, "total": 3, "unit": "iterations"}}
        work(portal, distillation_id, fence, phases=phases)
    with portal.database.transaction() as session:
        DistillationRepository(session).advance(
            distillation_id, fence=fence, to=DistillationStatus.READY
        )
    reader.join(timeout=20)

    assert not reader.is_alive()
    assert [kind for _, kind, _ in told] == ["status"] * 2 + ["progress"] * 3 + ["status"]
    assert [data["status"] for _, kind, data in told if kind == "status"] == [
        "queued",
        "distilling",
        "ready",
    ]
    assert [data["done"] for _, kind, data in told if kind == "progress"] == [1, 2, 3]
    ids = [event_id for event_id, _, _ in told]
    assert ids == sorted(set(ids))


def test_whoever_reconnects_misses_nothing_and_sees_nothing_twice(portal, follow):
    distillation_id = portal.distillation(DistillationStatus.CANCELLED)
    everything = follow(distillation_id)

    for seen, (event_id, _, _) in enumerate(everything[:-1], start=1):
        assert follow(distillation_id, last_event_id=event_id) == everything[seen:]


def test_nothing_left_to_tell_answers_204(portal, follow):
    """A browser reads it as: do not connect again."""
    distillation_id = portal.distillation(DistillationStatus.CANCELLED)
    last_id = follow(distillation_id)[-1][0]

    assert follow(distillation_id, last_event_id=last_id) is None


def test_more_events_than_one_look_fetches(portal, follow):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    with portal.database.transaction() as session:
        events = DistillationRepository(session).events
        for step in range(1200):
            events.append(distillation_id, EventKind.METRIC, {"step": step})
    portal.advance(distillation_id, DistillationStatus.READY)

    told = follow(distillation_id)

    assert [data["step"] for _, kind, data in told if kind == "metric"] == list(range(1200))
    assert told[-1][2]["status"] == "ready"


def test_a_stream_goes_on_through_a_retry(portal, follow):
    distillation_id = portal.distillation(DistillationStatus.FAILED)
    portal.steward.post(f"/distillations/{distillation_id}/retry")
    portal.advance(distillation_id, DistillationStatus.READY)

    statuses = [data["status"] for _, _, data in follow(distillation_id)]

    assert statuses == ["queued", "failed", "queued", "ready"]


@pytest.mark.parametrize("value", ["-1", "x", str(2**63), "1e3"])
def test_a_last_event_id_that_is_none_of_ours(portal, value):
    distillation_id = portal.distillation()

    reply = portal.steward.get(
        f"/distillations/{distillation_id}/events", headers={"Last-Event-ID": value}
    )

    assert reply.status_code == 422


def take_role(portal, person_id, _token_id):
    portal.admin.request("PATCH", f"/users/{person_id}", json={"roles": ["auditor"]})


def disable(portal, person_id, _token_id):
    portal.admin.request("PATCH", f"/users/{person_id}", json={"disabled": True})


def delete_token(portal, _person_id, token_id):
    portal.admin.delete(f"/tokens/{token_id}")


@pytest.mark.parametrize("taken_away", [take_role, disable, delete_token])
def test_who_may_read_no_longer_hears_no_more(portal, live_url, taken_away):
    listener = portal.person(portal.organisation_id, Role.RESEARCHER)
    [person] = (
        one for one in portal.admin.get("/users").json()["items"] if one["name"] == "Dr. Grey"
    )
    [token] = (
        one for one in portal.admin.get("/tokens").json()["items"] if one["user_id"] == person["id"]
    )
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    url = f"{live_url}/api/v1/distillations/{distillation_id}/events"
    headers = {"Authorization": f"Bearer {listener.token}"}
    with httpx.stream("GET", url, headers=headers, timeout=20) as reply:
        lines = reply.iter_lines()
        assert next(lines)
        taken_away(portal, person["id"], token["id"])
        # Of one that goes on, the first sign of life comes after 15 seconds.
        assert not any(line.startswith(":") for line in lines)
    again = httpx.get(url, headers=headers)

    assert again.status_code in (401, 403)
    assert not portal.row(distillation_id).status.is_final


def test_signing_out_ends_what_is_followed(portal, live_url):
    portal.account(Role.RESEARCHER)
    browser = portal.browser()
    browser.sign_in("grey@st-anna.example")
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    path = f"/api/v1/distillations/{distillation_id}/events"
    with browser.client.stream("GET", path) as reply:
        lines = reply.iter_lines()
        assert next(lines)
        assert browser.delete("/session").status_code == 204
        # Of one that goes on, the first sign of life comes after 15 seconds.
        assert not any(line.startswith(":") for line in lines)


def test_another_organisation_hears_nothing(portal):
    distillation_id = portal.distillation()

    assert portal.stranger.get(f"/distillations/{distillation_id}").status_code == 404
    assert portal.stranger.get(f"/distillations/{distillation_id}/events").status_code == 404
    assert portal.stranger.get("/distillations").json()["items"] == []


def test_the_list_may_be_of_one_dataset(portal):
    mine = portal.distillation()
    portal.distillation()

    listed = portal.researcher.get(
        "/distillations", params={"dataset_id": portal.row(mine).dataset_id}
    ).json()["items"]

    assert [item["id"] for item in listed] == [mine]


def count_queries(portal):
    """Counts what the portal asks of its events; gives the counter and what ends it."""
    asked = Counter()

    def count(_connection, _cursor, statement, *_):
        asked["events"] += "FROM event" in statement

    event.listen(portal.database.engine, "before_cursor_execute", count)
    return asked, lambda: event.remove(portal.database.engine, "before_cursor_execute", count)


@contextmanager
def listening(url, token, count):
    """So many streams at once, each after its first line."""
    headers = {"Authorization": f"Bearer {token}"}
    with ExitStack() as opened:
        replies = []
        for _ in range(count):
            reply = opened.enter_context(httpx.stream("GET", url, headers=headers, timeout=20))
            replies.append((reply, reply.iter_lines()))
        yield [(reply, next(lines)) for reply, lines in replies]


def test_all_who_follow_one_job_share_one_poll(portal, live_url):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    url = f"{live_url}/api/v1/distillations/{distillation_id}/events"
    asked, end = count_queries(portal)
    polls = {}
    try:
        for viewers in (1, feeds.MOST_OF_CALLER):
            with listening(url, portal.researcher.token, viewers):
                asked.clear()
                began = time.monotonic()
                wait_until(lambda: asked["events"] >= 30, "it is polled")
                polls[viewers] = asked["events"] / (time.monotonic() - began)
    finally:
        end()

    # Not faster than the interval of one poll, whoever looks (with a poll of its own for each:
    # twenty times as often).
    assert polls[feeds.MOST_OF_CALLER] < 2 / portal.services.settings.event_poll_seconds


def test_a_caller_has_so_many_streams_and_others_have_theirs(portal, live_url):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    url = f"{live_url}/api/v1/distillations/{distillation_id}/events"
    with listening(url, portal.researcher.token, feeds.MOST_OF_CALLER):
        one_more = portal.researcher.get(f"/distillations/{distillation_id}/events")
        with listening(url, portal.steward.token, 1) as [(other, _)]:
            assert other.status_code == 200

    assert one_more.status_code == 429
    assert one_more.json()["type"].endswith(":too-many-streams")
    assert one_more.headers["retry-after"]

    def is_free():
        with listening(url, portal.researcher.token, 1) as [(again, _)]:
            return again.status_code == 200

    wait_until(is_free, "streams that ended make room")

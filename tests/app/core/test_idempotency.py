"""The same request sent many times at once is done once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import update

from app.background.sweeper import sweep
from app.core.clock import utc_now
from app.models import IdempotencyKey


def make(portal, key, name="a"):
    return portal.steward.post("/datasets", json={"name": name}, headers={"Idempotency-Key": key})


def count(portal):
    return len(portal.steward.get("/datasets").json()["items"])


def test_at_once(portal):
    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(lambda _: make(portal, "k"), range(6)))

    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert count(portal) == 1


def test_each_organisation_has_its_own_keys(portal):
    ours = make(portal, "k")
    theirs = portal.stranger.post("/datasets", json={"name": "b"}, headers={"Idempotency-Key": "k"})

    assert theirs.status_code == 201
    assert theirs.json()["id"] != ours.json()["id"]


def test_a_refused_request_may_be_corrected_under_its_key(portal):
    assert make(portal, "k", name="").status_code == 422
    assert make(portal, "k", name="a").status_code == 201


def test_a_key_is_forgotten_after_a_day(portal):
    make(portal, "k")
    sweep(portal.services)
    make(portal, "k")
    assert count(portal) == 1

    with portal.database.transaction() as session:
        session.execute(update(IdempotencyKey).values(created_at=utc_now() - timedelta(hours=25)))
    sweep(portal.services)
    make(portal, "k")

    assert count(portal) == 2

"""The same request sent many times at once is done once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import update

from app.background.sweeper import sweep
from app.core.clock import utc_now
from app.models import IdempotencyKey


def make(house, key, name="a"):
    return house.steward.post("/datasets", json={"name": name}, headers={"Idempotency-Key": key})


def count(house):
    return len(house.steward.get("/datasets").json()["items"])


def test_at_once(house):
    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(lambda _: make(house, "k"), range(6)))

    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert count(house) == 1


def test_each_organisation_has_its_own_keys(house):
    ours = make(house, "k")
    theirs = house.stranger.post("/datasets", json={"name": "b"}, headers={"Idempotency-Key": "k"})

    assert theirs.status_code == 201
    assert theirs.json()["id"] != ours.json()["id"]


def test_a_refused_request_may_be_corrected_under_its_key(house):
    assert make(house, "k", name="").status_code == 422
    assert make(house, "k", name="a").status_code == 201


def test_a_key_is_forgotten_after_a_day(house):
    make(house, "k")
    sweep(house.portal)
    make(house, "k")
    assert count(house) == 1

    with house.database.transaction() as session:
        session.execute(update(IdempotencyKey).values(created_at=utc_now() - timedelta(hours=25)))
    sweep(house.portal)
    make(house, "k")

    assert count(house) == 2

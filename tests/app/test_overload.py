"""More requests than a portal can answer, and parts of it that hang: real servers, real locks."""

import asyncio
import os
import socket
from collections import Counter

import httpx
import pytest
from sqlalchemy import text

from app.core import readiness, turns
from tests.fixtures.portal import make_app, serving


async def replies(url, member, method, path, count, **arguments):
    """So many requests at once; the task of each."""
    client = httpx.AsyncClient(
        base_url=url,
        timeout=60,
        limits=httpx.Limits(max_connections=None),
        headers={"Authorization": f"Bearer {member.token}"},
    )
    return client, [
        asyncio.create_task(client.request(method, path, **arguments)) for _ in range(count)
    ]


async def first_done(tasks):
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return next(iter(done)).result()


@pytest.mark.skipif(
    os.environ.get("EXCHANGE_TEST_DATABASE", "sqlite") != "sqlite",
    reason="PostgreSQL has more than one writer",
)
def test_writers_that_wait_hold_no_reader_up_and_too_many_are_refused(
    portal, live_url, monkeypatch
):
    monkeypatch.setattr(turns, "WAIT_SECONDS", 60)
    more = turns.WRITERS + turns.MOST_WAITING + 5
    assert portal.steward.get("/datasets").status_code == 200  # its use is noted by now

    async def flood():
        with portal.database.transaction() as session:
            session.execute(text("SELECT 1"))  # takes the only write lock
            client, tasks = await replies(
                live_url, portal.steward, "POST", "/api/v1/datasets", more, json={"name": "chest"}
            )
            refused = await first_done(tasks)
            headers = {"Authorization": f"Bearer {portal.steward.token}"}
            read = await client.get("/api/v1/datasets", headers=headers)
            done = [task.result().status_code for task in tasks if task.done()]
        answers = await asyncio.gather(*tasks)
        await client.aclose()
        return refused, read, done, Counter(answer.status_code for answer in answers)

    refused, read, done, answers = asyncio.run(flood())

    assert refused.status_code == 503
    assert refused.json()["type"].endswith(":overloaded")
    assert int(refused.headers["retry-after"]) > 0
    assert read.status_code == 200
    assert set(done) == {503}, "no writer had its turn before the reader"
    assert answers == {503: 5, 201: more - 5}


def test_whoever_waits_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.01)

    async def wait():
        queue = turns.Turns(1)
        await queue.take()
        with pytest.raises(turns.Overloaded):
            await queue.take()
        queue.give_back()
        await queue.take()

    asyncio.run(wait())


@pytest.fixture
def hung_broker():
    """Accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_probes_of_a_hung_broker_hold_no_reader_up(portal, hung_broker, monkeypatch):
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 60)
    settings = portal.services.settings.model_copy(update={"broker_url": hung_broker})
    portal.steward.get("/datasets")

    async def probe(url):
        client, tasks = await replies(url, portal.steward, "GET", "/readyz", 120)
        await asyncio.sleep(0)
        read = await client.get("/api/v1/datasets")
        answered = sum(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.aclose()
        return read, answered

    with serving(make_app(settings)) as url:
        read, answered = asyncio.run(probe(url))
        monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.1)
        hung = httpx.get(f"{url}/readyz", timeout=60)

    assert read.status_code == 200
    assert answered == 0, "the reader waited for the broker"
    assert hung.status_code == 503
    assert hung.json()["checks"]["broker"] == "unreachable"

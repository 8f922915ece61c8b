"""Pages ask the database as often for many rows as for few.

With EXCHANGE_ROWS=10000 the same portal grows to so many rows of each kind, and a table tells how
long the server takes for each page. Nothing is asserted about time: docs/performance.md has the
numbers of one machine.
"""

import os
import re
import statistics
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from app.background import checkpoints
from app.core.metrics import Metrics
from tests.app.web.bulk_rows import BulkSeeder
from tests.app.web.routes import addresses
from tests.fixtures.clients import PASSWORD, Reader
from tests.fixtures.database import statements

EMAIL = "everybody@hospital.example"
REQUESTS = 20
HEADING = ("| page | statements | fastest, ms | median, ms | p95, ms |", "|---|---|---|---|---|")


@pytest.fixture
def somebody(portal: Any) -> Any:
    reader = Reader(portal.client.base_url)
    yield reader
    reader.client.close()


@pytest.fixture
def seeder(portal: Any, somebody: Reader) -> BulkSeeder:
    made = BulkSeeder(portal, EMAIL)
    somebody.sign_in(EMAIL, PASSWORD)
    return made


def asked(portal: Any, somebody: Reader, seeder: BulkSeeder) -> dict[str, list[str]]:
    found = {}
    for address in addresses():
        filled = address.format(**seeder.ids)
        somebody.open(filled)
        with statements(portal.database.engine) as seen:
            somebody.open(filled)
        found[address] = seen
    return found


def test_every_page_asks_the_database_as_often_for_many_rows_as_for_few(portal, somebody, seeder):
    seeder.grow(3)
    few = asked(portal, somebody, seeder)
    seeder.grow(30)
    many = asked(portal, somebody, seeder)
    more = {page: repeated(few[page], many[page]) for page in few}
    assert {page: found for page, found in more.items() if found} == {}
    assert min(map(len, few.values())) > 0, "statements are counted"


def test_of_many_scores_a_page_shows_the_newest_and_says_so(somebody, seeder):
    seeder.grow(60)
    in_each = {
        "/releases/{release_id}": 'data-label="Test images"',
        "/distillations/{distillation_id}/report": "5 × convnet",
    }
    for address, row in in_each.items():
        page = somebody.open(address.format(**seeder.ids))
        assert "These are the newest 50." in page
        assert page.count(row) == 50


def repeated(few: list[str], many: list[str]) -> list[str]:
    """The statements that were sent more often, however many ids are in them."""
    before, now = Counter(map(without_ids, few)), Counter(map(without_ids, many))
    return sorted((now - before).elements())


def without_ids(statement: str) -> str:
    return re.sub(r" IN \((?:[^()]|\([^()]*\))*\)", " IN (…)", statement)


@pytest.mark.skipif("EXCHANGE_ROWS" not in os.environ, reason="EXCHANGE_ROWS=10000 measures")
@pytest.mark.timeout(3600)
def test_the_time_for_each_page_is_told(portal, somebody, seeder, monkeypatch, capsys):
    seeder.grow(int(os.environ["EXCHANGE_ROWS"]))
    if portal.database.engine.dialect.name == "postgresql":
        with portal.database.transaction() as session:  # as autovacuum does a minute later
            session.execute(text("ANALYZE"))
    checkpoints.sign_checkpoints(portal.services)  # as a portal does within ten minutes
    seconds: list[float] = []
    observe: Callable[..., None] = Metrics.observe_request

    def note(metrics: Metrics, **request: Any) -> None:
        seconds.append(request["seconds"])
        observe(metrics, **request)

    monkeypatch.setattr(Metrics, "observe_request", note)
    lines = []
    for address in addresses():
        filled = address.format(**seeder.ids)
        with statements(portal.database.engine) as seen:
            somebody.open(filled)
        seconds.clear()
        for _ in range(REQUESTS):
            somebody.open(filled)
        took = sorted(one * 1000 for one in seconds)
        assert len(took) >= REQUESTS, "the server tells of each request"
        p95 = statistics.quantiles(took, n=20)[-1]
        times = f"{took[0]:.0f} | {statistics.median(took):.0f} | {p95:.0f}"
        lines.append(f"| `{address}` | {len(seen)} | {times} |")
    with capsys.disabled():
        print("", *HEADING, *lines, sep="\n")

"""What Prometheus reads of the service, and that it learns nothing of what is stored."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from app.background.periodic import Periodic, PeriodicTask
from app.core.clock import utc_now
from app.core.rounds import Rounds
from app.models import Dataset, Distillation, DistillationStatus, MailStatus, Notification


@pytest.fixture
def scrape(portal):
    def read():
        reply = portal.client.get("/metrics")
        assert reply.status_code == 200
        return samples(reply.text)

    return read


def samples(page):
    """Values by name and labels, as they are written."""
    lines = [line for line in page.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def wait_since(portal, model, seconds):
    with portal.database.transaction() as session:
        session.execute(update(model).values(updated_at=utc_now() - timedelta(seconds=seconds)))


def test_a_queue_tells_how_long_its_oldest_row_waits_and_who_works_on_it(
    portal, scrape, add_worker
):
    add_worker(queues=["gpu", "forecast"])
    add_worker(pid=8, queues=["cpu"], seen_at=utc_now() - timedelta(minutes=2))
    portal.distillation(DistillationStatus.DISTILLING)
    wait_since(portal, Distillation, 1200)
    held = portal.distillation(DistillationStatus.EVALUATING)
    portal.claim(held)

    found = scrape()

    assert 1200 <= found['exchange_queue_oldest_seconds{queue="gpu"}'] < 1260
    assert found['exchange_queue_oldest_seconds{queue="cpu"}'] == 0
    assert found['exchange_queue_rows{queue="gpu",state="waiting"}'] == 1
    assert found['exchange_queue_rows{queue="gpu",state="held"}'] == 1
    workers = {queue: found[f'exchange_workers{{queue="{queue}"}}'] for queue in ("cpu", "gpu")}
    assert workers == {"cpu": 0, "gpu": 1}


def test_failures_are_counted_by_the_code_of_their_problem(portal, scrape):
    problem = {"type": "urn:iadd-exchange:problem:out-of-memory", "detail": "class COVID"}
    for hours in (0, 2):
        failed = portal.distillation()
        portal.advance(failed, DistillationStatus.FAILED, problem=problem)
        with portal.database.transaction() as session:
            row = session.get_one(Distillation, failed)
            row.finished_at = utc_now() - timedelta(hours=hours)
    portal.rejected_dataset()

    found = scrape()

    name = 'exchange_failures{{kind="{}",problem="{}",window="{}"}}'
    assert found[name.format("distillation", "out-of-memory", "1h")] == 1
    assert found[name.format("distillation", "out-of-memory", "24h")] == 2
    assert found[name.format("dataset", "unnamed", "1h")] == 1
    assert not any("COVID" in each for each in found)


def test_the_time_of_each_phase_is_summed_over_jobs_that_are_ready(portal, scrape):
    for seconds in (10.0, 30.0):
        job = portal.distillation()
        timings = {"teaching": 5.0, "distilling": seconds}
        portal.advance(job, DistillationStatus.READY, timings=timings)
    portal.advance(portal.distillation(), DistillationStatus.FAILED, timings={"teaching": 99.0})

    found = scrape()

    name = 'exchange_phase_seconds_{}{{phase="{}",preset="cpu_demo"}}'
    assert found[name.format("sum", "distilling")] == 40
    assert found[name.format("count", "distilling")] == 2
    assert found[name.format("sum", "teaching")] == 10
    assert found[name.format("count", "auditing")] == 0


def test_the_disc_and_what_waits_to_be_sent_are_told(portal, scrape):
    with portal.database.transaction() as session:
        session.add(
            Notification(
                email="grey@hospital.example",
                kind="test",
                title="News",
                text="Read it.",
                mail_status=MailStatus.PENDING,
                created_at=utc_now() - timedelta(minutes=10),
                next_try_at=utc_now() + timedelta(hours=1),
            )
        )

    found = scrape()

    assert found["exchange_disc_free_bytes"] > 0
    assert found["exchange_disc_reserve_bytes"] == portal.services.settings.reserve_bytes
    assert found['exchange_outbox_pending{outbox="mail"}'] == 1
    assert 600 <= found['exchange_outbox_oldest_seconds{outbox="mail"}'] < 660
    assert found['exchange_outbox_pending{outbox="webhook"}'] == 0


def test_a_sweeper_that_is_silent_is_seen_by_the_time_of_its_last_round(scrape, wait_until):
    before = scrape()['exchange_round_timestamp_seconds{task="sweeper"}']
    assert abs(before - utc_now().timestamp()) < 3600

    rounds, failing = Rounds(), Rounds()
    works = PeriodicTask(name="sweeper", seconds=0.01, run=lambda _: None)
    fails = PeriodicTask(name="sweeper", seconds=0.01, run=lambda _: 1 / 0)
    with Periodic(works, on_round=rounds.note), Periodic(fails, on_round=failing.note):
        began, stays = rounds.ended_at()["sweeper"], failing.ended_at()["sweeper"]
        wait_until(lambda: rounds.ended_at()["sweeper"] > began, "a round has ended")
        wait_until(lambda: rounds.ended_at()["sweeper"] > began + 0.05, "more rounds have ended")
        assert failing.ended_at()["sweeper"] == stays


def test_without_its_database_a_portal_still_tells_what_it_knows(portal_with):
    portal = portal_with()
    assert samples(portal.client.get("/metrics").text)["exchange_database_up"] == 1
    with portal.database.transaction() as session:
        session.execute(text("ALTER TABLE distillation RENAME TO hidden"))

    found = samples(portal.client.get("/metrics").text)

    assert found["exchange_database_up"] == 0
    assert 'exchange_round_timestamp_seconds{task="sweeper"}' in found
    assert not any(name.startswith("exchange_rows") for name in found)


def test_either_database_gives_the_same_metrics(either_portal):
    portal = either_portal
    portal.advance(portal.distillation(), DistillationStatus.READY, timings={"teaching": 1.5})
    portal.advance(
        portal.distillation(),
        DistillationStatus.FAILED,
        problem={"type": "urn:iadd-exchange:problem:diverged"},
    )

    found = samples(portal.client.get("/metrics").text)

    assert found["exchange_database_up"] == 1
    assert found['exchange_phase_seconds_sum{phase="teaching",preset="cpu_demo"}'] == 1.5
    assert found['exchange_failures{kind="distillation",problem="diverged",window="1h"}'] == 1


def test_metrics_name_nobody_and_nothing(portal):
    dataset_id = portal.ready_dataset()
    job = portal.distillation(dataset_id=dataset_id)
    with portal.database.reading() as session:
        assert session.get_one(Dataset, dataset_id).name == "chest"

    page = portal.client.get("/metrics").text

    for word in ("chest", "COVID", "St. Anna", dataset_id, job, portal.organisation_id):
        assert word not in page
    assert re.search(r'^exchange_info\{version="[0-9.]+"\} 1\.0$', page, re.MULTILINE)

"""Workers register themselves, their heartbeat, and the row they work on."""

import signal

import pytest

from app.core.clock import utc_now
from app.core.queue import Queue
from app.models import DistillationStatus, WorkerProcess
from worker import registration
from worker.registration import Registration


def rows(harness):
    with harness.database.reading() as session:
        return session.query(WorkerProcess).all()


@pytest.mark.slow
def test_a_worker_is_seen_while_it_runs_and_gone_when_it_has_left(own_harness):
    worker = own_harness.start_worker(queues="cpu")
    own_harness.until(lambda: rows(own_harness), "the worker is registered")

    [row] = rows(own_harness)
    assert row.id == f"{row.host}:{row.pid}"
    assert (row.queues, row.device, row.row_id) == (["cpu"], "cpu", None)
    assert row.started_at <= row.seen_at <= utc_now()

    worker.send_signal(signal.SIGTERM)
    worker.wait(60)
    assert rows(own_harness) == []


@pytest.mark.slow
def test_the_row_it_works_on_is_registered(own_harness, squares):
    own_harness.start_worker()
    distillation_id = own_harness.add_distillation(
        own_harness.add_dataset(squares), iterations=100_000
    )
    own_harness.wait_for(distillation_id, DistillationStatus.DISTILLING)

    def is_registered():
        [row] = rows(own_harness)
        owner = own_harness.row(distillation_id).lease_owner or ""
        return row.row_id == distillation_id and owner.startswith(f"{row.id}:")

    own_harness.until(is_registered, "it is registered")


def test_a_row_that_is_held_is_registered_with_its_time_and_let_go(own_harness):
    registered = Registration(own_harness.database, "cpu")
    with registered.working_on("dl_1"):
        registered._write()
        [row] = rows(own_harness)
        assert row.row_id == "dl_1"
        assert row.row_since is not None
    registered._write()
    [row] = rows(own_harness)
    assert (row.row_id, row.row_since) == (None, None)


def test_a_process_that_was_killed_long_ago_is_removed(own_harness):
    with own_harness.database.transaction() as session:
        long_ago = utc_now() - registration.DEAD_AFTER * 2
        session.add(
            WorkerProcess(
                id="gone:1",
                host="gone",
                pid=1,
                queues=[Queue.GPU.value],
                device="cpu",
                version="0",
                started_at=long_ago,
                seen_at=long_ago,
            )
        )
    registered = Registration(own_harness.database, "cpu")

    registered.begin()
    own_harness.until(
        lambda: [row.host != "gone" for row in rows(own_harness)] == [True], "one is left"
    )
    registered.end()
    assert rows(own_harness) == []

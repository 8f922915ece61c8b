"""Workers register themselves, their heartbeat, and the row they work on."""

import signal

import pytest

from app.core.clock import utc_now
from app.core.queue import Queue
from app.models import DistillationStatus, WorkerProcess
from worker import registration
from worker.registration import Registration


def rows(bench):
    with bench.database.reading() as session:
        return session.query(WorkerProcess).all()


def test_a_worker_is_seen_while_it_runs_and_gone_when_it_has_left(own_bench):
    worker = own_bench.start_worker(queues="cpu")
    own_bench.until(lambda: rows(own_bench), "the worker is registered")

    [row] = rows(own_bench)
    assert row.id == f"{row.host}:{row.pid}"
    assert (row.queues, row.device, row.row_id) == (["cpu"], "cpu", None)
    assert row.started_at <= row.seen_at <= utc_now()

    worker.send_signal(signal.SIGTERM)
    worker.wait(60)
    assert rows(own_bench) == []


@pytest.mark.slow
def test_the_row_it_works_on_is_registered(own_bench, squares):
    own_bench.start_worker()
    distillation_id = own_bench.add_distillation(own_bench.add_dataset(squares), iterations=100_000)
    own_bench.wait_for(distillation_id, DistillationStatus.DISTILLING)

    def is_registered():
        [row] = rows(own_bench)
        owner = own_bench.row(distillation_id).lease_owner or ""
        return row.row_id == distillation_id and owner.startswith(f"{row.id}:")

    own_bench.until(is_registered, "it is registered")


def test_a_row_that_is_held_is_registered_with_its_time_and_let_go(own_bench):
    registered = Registration(own_bench.database, "cpu")
    with registered.working_on("dl_1"):
        registered._write()
        [row] = rows(own_bench)
        assert row.row_id == "dl_1"
        assert row.row_since is not None
    registered._write()
    [row] = rows(own_bench)
    assert (row.row_id, row.row_since) == (None, None)


def test_a_process_that_was_killed_long_ago_is_removed(own_bench):
    with own_bench.database.transaction() as session:
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
    registered = Registration(own_bench.database, "cpu")

    registered.begin()
    own_bench.until(
        lambda: [row.host != "gone" for row in rows(own_bench)] == [True], "one is left"
    )
    registered.end()
    assert rows(own_bench) == []

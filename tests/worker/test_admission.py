"""Workers take work of neighbouring versions, and none while the service is drained."""

import contextlib
import signal
from pathlib import Path

import pytest
from sqlalchemy import text

from app.background.periodic import Periodic, PeriodicTask
from app.core.version import VERSION
from app.maintenance.portals import PortalRegistration
from app.migrations import newest_revision
from app.models import DistillationStatus, WorkerProcess
from tests.fixtures.versions import as_version, minors_away


def refusals(harness) -> dict[str, str | None]:
    """Why the workers of each version take no work."""
    with harness.database.reading() as session:
        return {row.version: row.refusal for row in session.query(WorkerProcess)}


@pytest.fixture
def portal_of(own_harness, monkeypatch):
    """`portal_of(version)`: a portal of that version lives from now on."""
    with contextlib.ExitStack() as living:

        def begin(version: str) -> None:
            monkeypatch.setattr("app.maintenance.portals.VERSION", version)
            registration = PortalRegistration(own_harness.database)
            registration.renew()
            heartbeat = PeriodicTask(
                name="registration", seconds=1, run=lambda _: registration.renew()
            )
            living.enter_context(Periodic(heartbeat))

        yield begin


@pytest.mark.slow
def test_a_worker_one_version_on_does_a_job_and_one_two_versions_on_says_what_to_update(
    own_harness, portal_of, squares, tmp_path: Path
):
    portal_of(VERSION)
    next_one, after_it = minors_away(+1), minors_away(+2)
    far = own_harness.start_worker(**as_version(after_it, tmp_path))
    own_harness.until(lambda: refusals(own_harness) == {after_it: "too_new"}, "it refuses")
    near = own_harness.start_worker(**as_version(next_one, tmp_path))

    job = own_harness.add_distillation(own_harness.add_dataset(squares))
    own_harness.wait_for(job, DistillationStatus.READY)

    assert refusals(own_harness) == {after_it: "too_new", next_one: None}
    said = (own_harness.folder / "worker-0.log").read_text()
    assert f"This worker is version {after_it} and the portal {VERSION}: update the portal" in said
    for worker in (far, near):
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    assert refusals(own_harness) == {}, "who leaves says so, also one that waits"


@pytest.mark.slow
def test_a_worker_that_the_portal_has_left_behind_gives_its_job_to_a_newer_one(
    own_harness, portal_of, squares, tmp_path: Path
):
    old = minors_away(-1)
    own_harness.start_worker(**as_version(old, tmp_path))
    job = own_harness.add_distillation(own_harness.add_dataset(squares), iterations=200)
    own_harness.wait_for(job, DistillationStatus.DISTILLING)

    # A portal two versions ahead of the worker, and one ahead of today's.
    portal_of(minors_away(+1))

    own_harness.until(lambda: refusals(own_harness) == {old: "too_old"}, "it refuses")
    assert own_harness.row(job).lease_owner is None
    assert own_harness.row(job).status == DistillationStatus.DISTILLING
    own_harness.start_worker()
    own_harness.wait_for(job, DistillationStatus.READY)
    assert own_harness.row(job).takeovers == 0, "it was given back, not lost"


@pytest.mark.slow
def test_a_worker_before_its_schema_waits_for_the_migration(own_harness):
    newest = newest_revision()
    with own_harness.database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    own_harness.start_worker(queues="cpu")
    own_harness.until(lambda: "run `exchange migrate`" in own_harness.logs(), "it says so")
    assert refusals(own_harness) == {VERSION: "old_schema"}

    with own_harness.database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": newest})

    own_harness.until(lambda: refusals(own_harness) == {VERSION: None}, "it takes work")

"""A claimed row: its heartbeat, its fencing token, its checkpoints, its progress."""

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.core.clock import utc_now
from app.core.leases import LeaseLost
from app.distillations.repository import DistillationRepository
from app.distillations.trajectory_sets import TeacherRepository, TrajectorySetRepository
from app.models import Dataset, Distillation, DistillationStatus, EventKind, Teacher
from iadd.data.image_set import ImageSet
from iadd.runtime.progress import Progress
from iadd.runtime.seal import sealed_document
from worker.jobs.checkpoints import Checkpoints
from worker.jobs.lease import Cancelled, ClaimedRow
from worker.jobs.progress import PhaseProgress, TeacherProgress
from worker.services import Services
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

MINE = sealed_document({"mine": 1})


@pytest.fixture
def services(own_harness: "WorkerHarness") -> Services:
    return Services(
        settings=own_harness.portal.settings,
        worker_settings=WorkerSettings(progress_seconds=0.3),
        database=own_harness.database,
        storage=own_harness.storage,
    )


@pytest.fixture
def row_id(own_harness: "WorkerHarness", squares: ImageSet) -> str:
    return own_harness.add_distillation(own_harness.add_dataset(squares))


def claim(services: Services, row_id: str, seconds: float = 60) -> ClaimedRow:
    with services.database.transaction() as session:
        fence = DistillationRepository(session).claim(
            row_id, statuses=(DistillationStatus.QUEUED,), owner="me", seconds=seconds
        )
    assert fence is not None

    return ClaimedRow(
        services,
        Distillation,
        row_id,
        fence,
        is_wanted=lambda session: not DistillationRepository(session).cancel_requested(row_id),
    )


def take_over(services: Services, row_id: str) -> ClaimedRow:
    """As another worker does when a lease has run out."""
    with services.database.transaction() as session:
        session.get_one(Distillation, row_id).lease_expires_at = utc_now() - timedelta(seconds=1)
    return claim(services, row_id)


def check_for(claimed: ClaimedRow, seconds: float) -> None:
    """Check again and again, as a step does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        claimed.check()
        time.sleep(0.01)


def test_the_heartbeat_renews_the_lease_until_the_block_ends(
    services: Services, row_id: str, own_harness: "WorkerHarness"
) -> None:
    claimed = claim(services, row_id, seconds=1)
    with claimed.heartbeat():
        time.sleep(1.5)
        renewed = own_harness.row(row_id).lease_expires_at
        assert renewed is not None
        assert renewed > utc_now()
        claimed.check()
    after = own_harness.row(row_id).lease_expires_at
    time.sleep(3 * services.settings.heartbeat_seconds)
    assert own_harness.row(row_id).lease_expires_at == after


def test_a_worker_that_lost_the_lease_stops_and_writes_nothing(
    services: Services, row_id: str, own_harness: "WorkerHarness"
) -> None:
    claimed = claim(services, row_id)
    checkpoints = Checkpoints(services.storage, claimed, folder="checkpoints", key=None)
    checkpoints.write(MINE)
    other = take_over(services, row_id)
    theirs = Checkpoints(services.storage, other, folder="checkpoints", key=checkpoints.key)
    assert theirs.read() == MINE

    # It has not heard of the loss yet: the fencing token alone stops it.
    with pytest.raises(LeaseLost):
        checkpoints.write(b"too late")
    assert own_harness.row(row_id).checkpoint_key == theirs.key
    assert [info.key for info in services.storage.list("checkpoints")] == [theirs.key]

    with claimed.heartbeat(), pytest.raises(LeaseLost):
        check_for(claimed, seconds=10)


def test_a_checkpoint_replaces_the_one_before_and_clears_what_was_orphaned(
    services: Services, row_id: str, own_harness: "WorkerHarness"
) -> None:
    claimed = claim(services, row_id)
    services.storage.put("checkpoints/000000-000000", b"nobody points here")
    checkpoints = Checkpoints(services.storage, claimed, folder="checkpoints", key=None)
    for content in (b'{"one": 1}', MINE):
        checkpoints.write(content)
    assert [info.key for info in services.storage.list("checkpoints")] == [checkpoints.key]
    assert own_harness.row(row_id).checkpoint_key == checkpoints.key
    assert checkpoints.read() == MINE


def test_a_damaged_checkpoint_is_none(
    services: Services, row_id: str, own_harness: "WorkerHarness"
) -> None:
    claimed = claim(services, row_id)
    checkpoints = Checkpoints(services.storage, claimed, folder="checkpoints", key=None)
    checkpoints.write(MINE)
    assert checkpoints.key is not None
    for damaged in (MINE[:-3], MINE.replace(b"mine", b"mind"), b""):
        services.storage.put(checkpoints.key, damaged)
        assert checkpoints.read() is None


def test_a_request_to_cancel_reaches_the_step(services: Services, row_id: str) -> None:
    claimed = claim(services, row_id)
    with claimed.heartbeat():
        claimed.check()
        with services.database.transaction() as session:
            DistillationRepository(session).request_cancel(row_id)
        with pytest.raises(Cancelled):
            check_for(claimed, seconds=10)


def test_progress_is_written_at_an_interval_and_at_the_end(
    services: Services, row_id: str, own_harness: "WorkerHarness"
) -> None:
    claimed = claim(services, row_id)
    row = own_harness.row(row_id)
    with services.database.reading() as session:
        dataset = session.get_one(Dataset, row.dataset_id)
    listen = PhaseProgress(services, claimed, row, dataset)
    total, began = 50, time.monotonic()
    for done in range(1, total + 1):
        metrics = {"loss": 1 / done}
        listen(Progress(phase="distilling", done=done, total=total, unit="steps", metrics=metrics))
        time.sleep(0.02)
    with services.database.reading() as session:
        events = DistillationRepository(session).events.after(row_id, 0)
    told = [event.data["done"] for event in events if event.kind == EventKind.PROGRESS]
    assert told[0] == 1
    assert told[-1] == total
    # One in 0.3 seconds, the first and the last besides.
    assert 3 <= len(told) <= (time.monotonic() - began) / 0.3 + 2
    row = own_harness.row(row_id)
    assert row.phases == {"queued": {"done": total, "total": total, "unit": "steps"}}
    assert row.metrics == {"loss": 1 / total}
    assert row.eta_seconds == 0


def test_a_message_becomes_a_line_of_the_log_at_once(
    services: Services, row_id: str, own_harness: "WorkerHarness"
) -> None:
    """It may be the last word of a run that then fails."""
    claimed = claim(services, row_id)
    row = own_harness.row(row_id)
    with services.database.reading() as session:
        dataset = session.get_one(Dataset, row.dataset_id)
    listen = PhaseProgress(services, claimed, row, dataset)
    for done, message in ((1, None), (2, "Matching: steps are computed eagerly."), (3, "W falls.")):
        listen(Progress(phase="distilling", done=done, total=9, unit="steps", message=message))
    with services.database.reading() as session:
        events = DistillationRepository(session).events.after(row_id, 0)
    assert [event.data for event in events if event.kind == EventKind.LOG] == [
        {"phase": "queued", "message": "Matching: steps are computed eagerly."},
        {"phase": "queued", "message": "W falls."},
    ]


def test_a_teachers_message_reaches_the_distillations_that_wait_for_it(
    services: Services, row_id: str, own_harness: "WorkerHarness"
) -> None:
    with services.database.transaction() as session:
        row = session.get_one(Distillation, row_id)
        dataset = session.get_one(Dataset, row.dataset_id)
        trajectory_set = TrajectorySetRepository(session).find_or_add(
            row.dataset_id, "key", config={}, teachers=2
        )
        row.trajectory_set_id = trajectory_set.id
        row.status = DistillationStatus.TEACHING
        session.flush()
        teacher = TrajectorySetRepository(session).teachers(trajectory_set.id)[1]
        fence = TeacherRepository(session).claim(teacher.id, owner="me", seconds=60)
    assert fence is not None
    listen = TeacherProgress(
        services, ClaimedRow(services, Teacher, teacher.id, fence), teacher, dataset, 4
    )
    for done, message in ((1, None), (2, "Memory ran out: going on with half.")):
        listen(Progress(phase="teaching", done=done, total=4, unit="epochs", message=message))
    with services.database.reading() as session:
        events = DistillationRepository(session).events.after(row_id, 0)
    assert [event.data for event in events if event.kind == EventKind.LOG] == [
        {"phase": "teaching", "message": "Memory ran out: going on with half.", "teacher": 1}
    ]

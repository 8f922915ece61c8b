"""A retry makes again what is not stored any more, or not as it was."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from app.core.queue import Task, enqueue_after_commit
from app.distillations.repository import DistillationRepository
from app.distillations.trajectory_sets import TrajectorySetRepository
from app.models import Distillation, DistillationStatus, TrajectorySet
from iadd.data.image_set import ImageSet
from iadd.runtime.seal import expect_intact

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

READY = DistillationStatus.READY
FAILED = DistillationStatus.FAILED


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


DAMAGES = {
    "gone": (lambda content: None, "objects-missing"),
    "flipped": (flipped, "objects-damaged"),
}


def retry(harness: "WorkerHarness", row_id: str) -> Distillation:
    with harness.database.transaction() as session:
        moved = DistillationRepository(session).move(
            row_id,
            expected=(FAILED,),
            to=DistillationStatus.QUEUED,
            attempt=Distillation.attempt + 1,
            problem=None,
        )
        assert moved
        enqueue_after_commit(session, Task.START_DISTILLATION, row_id)
    return harness.wait_for(row_id, READY)


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "code"), DAMAGES.values(), ids=DAMAGES)
def test_a_teacher_that_is_lost_is_trained_anew(
    harness: "WorkerHarness",
    squares: ImageSet,
    damage: Callable[[bytes], bytes | None],
    code: str,
) -> None:
    dataset = harness.add_dataset(squares)
    first = harness.wait_for(harness.add_distillation(dataset), READY)
    with harness.database.reading() as session:
        assert first.trajectory_set_id is not None
        teacher = TrajectorySetRepository(session).teachers(first.trajectory_set_id)[1]
    assert teacher.object_key is not None
    changed = damage(harness.storage.get(teacher.object_key))
    harness.storage.delete(teacher.object_key)
    if changed is not None:
        harness.storage.put(teacher.object_key, changed)

    # It finds its teachers there, and trains none.
    second = harness.add_distillation(dataset, iterations=5)
    failed = harness.wait_for(second, FAILED)
    assert failed.problem is not None
    assert failed.problem["type"].endswith(code)

    row = retry(harness, second)
    assert row.trajectory_set_id == first.trajectory_set_id
    expect_intact(harness.storage.get(teacher.object_key))
    with harness.database.reading() as session:
        trajectories = session.get_one(TrajectorySet, first.trajectory_set_id)
        assert (trajectories.done_count, trajectories.private_seed) == (2, None)

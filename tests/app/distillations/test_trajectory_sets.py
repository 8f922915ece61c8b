"""Teachers: shared by distillations, counted exactly once; on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.distillations.repository import DistillationRepository
from app.distillations.trajectory_sets import TeacherRepository, TrajectorySetRepository
from app.models import (
    Dataset,
    Distillation,
    DistillationStatus,
    Organisation,
    TeacherStatus,
    TrajectorySetStatus,
)


@pytest.fixture
def dataset_id(database):
    with database.transaction() as session:
        session.add(Organisation(id="org", name="St. Anna"))
        session.flush()
        dataset = Dataset(organisation_id="org", name="chest")
        session.add(dataset)
        session.flush()
        return dataset.id


def find_or_add(database, dataset_id, teachers=3):
    with database.transaction() as session:
        return (
            TrajectorySetRepository(session)
            .find_or_add(dataset_id, "key", config={"a": 1}, teachers=teachers)
            .id
        )


def waiting_distillation(database, dataset_id, set_id):
    with database.transaction() as session:
        row = Distillation(
            organisation_id="org",
            dataset_id=dataset_id,
            trajectory_set_id=set_id,
            preset="cpu_demo",
            images_per_class=1,
            initialisation="noise",
            seed=0,
            status=DistillationStatus.TEACHING,
        )
        return DistillationRepository(session).add(row).id


def test_of_many_that_need_it_at_once_one_makes_it(database, dataset_id):
    with ThreadPoolExecutor(4) as threads:
        ids = set(threads.map(lambda _: find_or_add(database, dataset_id), range(4)))

    assert len(ids) == 1
    with database.reading() as session:
        teachers = TrajectorySetRepository(session).teachers(ids.pop())
    assert [teacher.index for teacher in teachers] == [0, 1, 2]


def test_exactly_one_of_the_last_ones_is_the_last(database, dataset_id):
    set_id = find_or_add(database, dataset_id, teachers=8)
    with database.reading() as session:
        teachers = [teacher.id for teacher in TrajectorySetRepository(session).teachers(set_id)]

    def record(teacher_id):
        with database.transaction() as session:
            fence = TeacherRepository(session).claim(teacher_id, owner="w", seconds=60)
        with database.transaction() as session:
            TeacherRepository(session).finish(teacher_id, fence=fence, status=TeacherStatus.DONE)
            return TrajectorySetRepository(session).count_one_done(set_id)

    with ThreadPoolExecutor(8) as threads:
        last = list(threads.map(record, teachers))

    assert sorted(last) == [False] * 7 + [True]
    with database.reading() as session:
        trajectory_set = TrajectorySetRepository(session).load(set_id)
    assert (trajectory_set.done_count, trajectory_set.status) == (8, TrajectorySetStatus.READY)


def test_a_finished_teacher_is_not_given_out_again(database, dataset_id):
    set_id = find_or_add(database, dataset_id)
    with database.transaction() as session:
        teacher_id = TrajectorySetRepository(session).teachers(set_id)[0].id
        teachers = TeacherRepository(session)
        fence = teachers.claim(teacher_id, owner="w", seconds=60)
        assert teachers.load(teacher_id).status == TeacherStatus.RUNNING
        teachers.finish(teacher_id, fence=fence, status=TeacherStatus.DONE)

    with database.transaction() as session:
        assert TeacherRepository(session).claim(teacher_id, owner="v", seconds=60) is None
        left = TrajectorySetRepository(session).unfinished(set_id)
    assert [teacher.index for teacher in left] == [1, 2]


def test_teachers_are_wanted_while_somebody_waits_for_them(database, dataset_id):
    set_id = find_or_add(database, dataset_id)

    def wanted():
        with database.reading() as session:
            return TrajectorySetRepository(session).is_wanted(set_id)

    assert not wanted()
    first = waiting_distillation(database, dataset_id, set_id)
    second = waiting_distillation(database, dataset_id, set_id)
    assert wanted()
    with database.transaction() as session:
        DistillationRepository(session).request_cancel(first)
    assert wanted()
    with database.reading() as session:
        taught = DistillationRepository(session).taught_by(set_id)
    assert [row.id for row in taught] == [second]
    with database.transaction() as session:
        DistillationRepository(session).move(
            second, expected=(DistillationStatus.TEACHING,), to=DistillationStatus.CANCELLED
        )
    assert not wanted()


def test_failed_teachers_wait_again_and_finished_ones_stay(database, dataset_id):
    set_id = find_or_add(database, dataset_id)
    with database.transaction() as session:
        sets, teachers = TrajectorySetRepository(session), TeacherRepository(session)
        ids = [teacher.id for teacher in sets.teachers(set_id)]
        for teacher_id, status in zip(
            ids, (TeacherStatus.DONE, TeacherStatus.FAILED), strict=False
        ):
            fence = teachers.claim(teacher_id, owner="w", seconds=60)
            teachers.finish(teacher_id, fence=fence, status=status)
        sets.mark_failed(set_id)

    with database.transaction() as session:
        assert TrajectorySetRepository(session).reset_failed(set_id) == [ids[1]]

    with database.reading() as session:
        sets = TrajectorySetRepository(session)
        assert [teacher.status.value for teacher in sets.teachers(set_id)] == [
            "done",
            "pending",
            "pending",
        ]
        assert sets.load(set_id).status == TrajectorySetStatus.RECORDING


def test_events_written_at_once_are_read_in_order(database, dataset_id):
    """No reader may see a larger id before a smaller one: it would never ask for that again."""
    distillation_id = waiting_distillation(database, dataset_id, find_or_add(database, dataset_id))
    seen, done = [], []

    def write(_):
        for _ in range(10):
            with database.transaction() as session:
                DistillationRepository(session).events.append(distillation_id, "log", {"a": 1})

    def read():
        while not done or len(seen) < 41:
            after = seen[-1] if seen else 0
            with database.reading() as session:
                events = DistillationRepository(session).events.after(distillation_id, after)
            seen.extend(event.id for event in events)
            assert len(seen) <= 41

    with ThreadPoolExecutor(5) as threads:
        reader = threads.submit(read)
        list(threads.map(write, range(4)))
        done.append(True)
        reader.result(timeout=30)

    assert len(seen) == 41
    assert seen == sorted(set(seen))

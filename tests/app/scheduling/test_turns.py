"""Whose turn it is: fair between organisations, by priority and then to the end within one."""

from datetime import timedelta

import pytest

from app.core.clock import utc_now
from app.core.queue import Queue, Task
from app.models import (
    AuditTwin,
    Dataset,
    DatasetStatus,
    DeviceUse,
    Distillation,
    DistillationStatus,
    Forecast,
    Organisation,
    Priority,
    Teacher,
    TextScan,
    Training,
    TrainingStatus,
    TrajectorySet,
)
from app.scheduling import device_use
from app.scheduling.duties import DUTIES
from app.scheduling.turns import Turn, is_waiting, next_turn

DISTILLING = DistillationStatus.DISTILLING


class Hospital:
    """An organisation whose rows wait."""

    def __init__(self, portal, name):
        self._portal = portal
        with portal.database.transaction() as session:
            row = Organisation(name=name)
            session.add(row)
            session.flush()
            self.id = row.id
        self.dataset_id = self.add(
            Dataset(organisation_id=self.id, name="xrays", status=DatasetStatus.READY)
        )

    def add(self, row):
        with self._portal.database.transaction() as session:
            session.add(row)
        return row.id

    def distillation(self, status=DISTILLING, *, minutes=0, **values):
        """One that was touched so many minutes ago."""
        return self.add(
            Distillation(
                organisation_id=self.id,
                dataset_id=self.dataset_id,
                preset="cpu_demo",
                images_per_class=1,
                initialisation="public",
                seed=0,
                status=status,
                updated_at=utc_now() - timedelta(minutes=minutes),
                **values,
            )
        )

    def teacher(self, *, minutes=0, priority=Priority.NORMAL):
        set_id = self.add(
            TrajectorySet(dataset_id=self.dataset_id, teacher_key="k", config={}, teachers=1)
        )
        self.distillation(DistillationStatus.TEACHING, trajectory_set_id=set_id, priority=priority)
        touched = utc_now() - timedelta(minutes=minutes)
        return self.add(Teacher(trajectory_set_id=set_id, index=0, updated_at=touched))

    def running(self):
        """A distillation that a worker has."""
        row_id = self.distillation()
        self._portal.claim(row_id)
        return row_id

    def used(self, seconds, *, hours_ago=0.0, queue=Queue.GPU):
        self._portal.used(self.id, hours=seconds / 3600, queue=queue.value, days_ago=hours_ago / 24)

    def check(self, *, minutes=0):
        return self.add(
            Dataset(
                organisation_id=self.id,
                name="new",
                status=DatasetStatus.CHECKING,
                updated_at=utc_now() - timedelta(minutes=minutes),
            )
        )

    def scan(self, *, minutes=0):
        touched = utc_now() - timedelta(minutes=minutes)
        return self.add(TextScan(dataset_id=self.dataset_id, updated_at=touched))


@pytest.fixture
def north(portal):
    return Hospital(portal, "North")


@pytest.fixture
def south(portal):
    return Hospital(portal, "South")


@pytest.fixture
def turn(portal):
    """Id of the row whose turn it is."""

    def ask(queue=Queue.GPU, besides=()):
        with portal.database.reading() as session:
            found = next_turn(session, queue, besides=besides)
        return None if found is None else found.row_id

    return ask


def test_nothing_waits(turn, north):
    north.running()
    assert turn() is None


def test_the_one_that_waits_longest_goes_first(turn, north, south):
    north.distillation(minutes=1)
    longest = south.distillation(minutes=2)
    assert turn() == longest


def test_a_hundred_jobs_of_one_do_not_delay_the_one_of_another(turn, north, south):
    for number in range(5):
        north.distillation(minutes=10 + number)
    north.running()
    only = south.distillation()
    assert turn() == only


def test_of_two_that_run_as_much_the_one_goes_first_that_used_less(turn, north, south):
    north.distillation(minutes=5)
    thrifty = south.distillation()
    north.used(60)
    south.used(59)
    assert turn() == thrifty


def test_what_was_used_the_day_before_or_on_another_queue_counts_no_more(turn, north, south):
    longest = north.distillation(minutes=5)
    south.distillation()
    north.used(60, hours_ago=25)
    north.used(60, queue=Queue.CPU)
    south.used(59)
    assert turn() == longest


def test_within_an_organisation_priority_goes_before_time(turn, north):
    north.distillation(minutes=9, priority=Priority.LOW)
    north.distillation(minutes=8)
    urgent = north.distillation(priority=Priority.HIGH)
    assert turn() == urgent


def test_priority_gives_no_turn_of_another_organisation(turn, north, south):
    north.distillation(priority=Priority.HIGH)
    north.running()
    modest = south.distillation(priority=Priority.LOW)
    assert turn() == modest


def test_teachers_have_the_priority_of_what_waits_for_them(turn, north):
    north.distillation(minutes=5)
    urgent = north.teacher(priority=Priority.HIGH)
    assert turn() == urgent


def test_what_has_begun_ends_before_the_next_begins(turn, north):
    north.teacher(minutes=9)
    north.distillation(DISTILLING, minutes=8)
    evaluating = north.distillation(DistillationStatus.EVALUATING)
    assert turn() == evaluating


def test_checks_go_before_the_next_slice_of_a_long_search_for_text(turn, north):
    north.scan(minutes=9)
    check = north.check()
    assert turn(Queue.CPU) == check


def test_a_row_of_a_dead_worker_waits_again(portal, turn, north):
    row_id = north.distillation()
    portal.claim(row_id, seconds=-1)
    assert turn() == row_id


def test_rows_that_were_tried_in_vain_are_left_out(turn, north, south):
    first = north.distillation(minutes=5)
    second = south.distillation()
    assert turn(besides=[first]) == second
    assert turn(besides=[first, second]) is None


@pytest.mark.parametrize("duty", DUTIES, ids=lambda duty: duty.task.value)
def test_every_kind_of_row_has_an_organisation_and_a_task_that_finds_it(portal, north, duty):
    rows = {
        Task.RECORD_TRAJECTORY: north.teacher,
        Task.CHECK_DATASET: north.check,
        Task.SCAN_TEXT: north.scan,
    }
    if duty.task in rows:
        row_id = rows[duty.task]()
    elif duty.model is Distillation:
        row_id = north.distillation(duty.statuses[0])
    elif duty.model is AuditTwin:
        audited = north.distillation(DistillationStatus.AUDITING)
        row_id = north.add(AuditTwin(distillation_id=audited, number=0, runs=1))
    elif duty.model is Training:
        row_id = north.add(
            Training(
                organisation_id=north.id,
                dataset_id=north.dataset_id,
                release_ids=[],
                rows=["own"],
                networks=1,
                seed=0,
                status=TrainingStatus(duty.statuses[0]),
            )
        )
    else:
        row_id = north.add(
            Forecast(
                organisation_id=north.id,
                dataset_id=north.dataset_id,
                preset="cpu_demo",
                settings={},
                settings_hash="s",
                pace_key="p",
            )
        )
    with portal.database.transaction() as session:
        assert is_waiting(session, duty.task, row_id)
        assert next_turn(session, duty.task.queue) == Turn(duty.task, row_id)
        device_use.book(session, duty.task, row_id, 2.5)
        session.flush()
        [booked] = session.query(DeviceUse).all()
    assert (booked.organisation_id, booked.seconds) == (north.id, 2.5)
    assert booked.queue == duty.task.queue.value


def test_the_use_of_rows_that_are_gone_is_nobodys_and_old_use_is_forgotten(portal, north):
    north.used(1, hours_ago=24 * 91)
    north.used(2, hours_ago=24 * 89)
    with portal.database.transaction() as session:
        device_use.book(session, Task.DISTILL, "dl_gone", 9)
        device_use.forget_old(session)
        session.flush()
        assert [row.seconds for row in session.query(DeviceUse)] == [2]

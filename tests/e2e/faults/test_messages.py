"""The broker loses messages, or brings them twice and in any order."""

import random
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.core.queue import Task
from app.models import Distillation, Teacher
from tests.e2e.faults.installation import Installation
from tests.e2e.faults.main_job import MainJob

pytestmark = pytest.mark.slow


def test_an_emptied_broker_costs_nothing(
    one_machine: Installation, disturb: Callable[..., MainJob]
) -> None:
    def empty(job: MainJob, stage: str, chance: random.Random) -> None:
        with one_machine.broker() as broker:
            broker.flushall()

    disturb(one_machine, empty)


def test_messages_that_come_twice_and_in_any_order_change_nothing(
    one_machine: Installation, disturb: Callable[..., MainJob]
) -> None:
    """Each task of the job, three times, to two workers of each queue."""

    def send(job: MainJob, stage: str, chance: random.Random) -> None:
        messages = [(Task.CHECK_DATASET, job.dataset_id)]
        if job.distillation_id:
            ids = [job.distillation_id]
            with one_machine.opened() as (database, _), database.reading() as session:
                row = session.get_one(Distillation, job.distillation_id)
                teachers = session.scalars(
                    select(Teacher.id).where(Teacher.trajectory_set_id == row.trajectory_set_id)
                ).all()
            messages += [(Task.RECORD_TRAJECTORY, teacher) for teacher in teachers]
            steps = (Task.START_DISTILLATION, Task.DISTILL, Task.EVALUATE, Task.AUDIT, Task.PACKAGE)
            messages += [(step, row_id) for step in steps for row_id in ids]
        messages = [message for message in messages if message[1]] * 3
        chance.shuffle(messages)
        one_machine.send(*messages)

    with one_machine.another_worker("cpu,gpu"):
        disturb(one_machine, send)

"""The broker loses messages, or brings them twice and in any order."""

import random
from collections.abc import Callable

import pytest

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
        one_machine.send_all_of(job.dataset_id, job.distillation_id, chance)

    with one_machine.another_worker("cpu,gpu"):
        disturb(one_machine, send)

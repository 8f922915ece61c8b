"""A process that stands still for longer than its lease, and then goes on."""

import os
import random
import signal
from collections.abc import Callable

import pytest

from tests.e2e.faults.installation import Installation
from tests.e2e.faults.main_job import MainJob
from tests.e2e.faults.test_kills import ON_CPU
from tests.fixtures.service import QUICK

pytestmark = pytest.mark.slow

LEASE = float(QUICK["EXCHANGE_LEASE_SECONDS"])


def test_a_worker_that_stood_still_finds_its_work_done_by_another(
    one_machine: Installation, disturb: Callable[..., MainJob]
) -> None:
    """Its lease runs out, another worker takes the row; what it writes then changes nothing."""

    def stop(job: MainJob, stage: str, chance: random.Random) -> None:
        queue = "cpu" if stage in ON_CPU else "gpu"
        stand_still(one_machine.service.pid_of(f"worker --queues {queue}"), job, chance)

    with one_machine.another_worker("cpu,gpu"):
        disturb(one_machine, stop)


def test_a_portal_that_stood_still_goes_on(
    one_machine: Installation, disturb: Callable[..., MainJob]
) -> None:
    def stop(job: MainJob, stage: str, chance: random.Random) -> None:
        stand_still(one_machine.service.pid_of("app.cli portal"), job, chance)

    disturb(one_machine, stop)


def stand_still(group: int, job: MainJob, chance: random.Random) -> None:
    os.killpg(group, signal.SIGSTOP)
    job.pause(LEASE * chance.uniform(1.2, 3))
    os.killpg(group, signal.SIGCONT)

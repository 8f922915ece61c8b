"""SIGKILL to each process of the service, at a random moment of the main job."""

import os
import random
import signal
from collections.abc import Callable

import pytest

from tests.e2e.faults.installation import Installation
from tests.e2e.faults.main_job import STAGES, MainJob
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.slow

ON_CPU = ("uploading", "checking", "queued", "packaging")
"""Stages that the workers of the queue `cpu` work on."""
LOST_WORKER = [r"exited with 'signal 9", r"Worker exited prematurely: signal 9"]
LOST_BROKER = [r"Cannot connect to redis", r"Connection to broker lost"]


def test_a_killed_portal_costs_nothing(
    one_machine: Installation, disturb: Callable[..., MainJob]
) -> None:
    def kill(job: MainJob, stage: str, chance: random.Random) -> None:
        os.kill(one_machine.service.pid_of("app.cli portal"), signal.SIGKILL)

    disturb(one_machine, kill)


def test_killed_workers_cost_a_checkpoint_interval(
    one_machine: Installation, disturb: Callable[..., MainJob]
) -> None:
    """The worker of the stage, with the processes that it forked."""

    def kill(job: MainJob, stage: str, chance: random.Random) -> None:
        queue = "cpu" if stage in ON_CPU else "gpu"
        os.killpg(one_machine.service.pid_of(f"worker --queues {queue}"), signal.SIGKILL)

    disturb(one_machine, kill)


def test_workers_killed_in_every_stage_change_no_bit(
    one_machine: Installation, disturb: Callable[..., MainJob]
) -> None:
    """The worker of each stage, as soon as it is seen in it."""

    def kill(job: MainJob, stage: str, chance: random.Random) -> None:
        for later in STAGES[STAGES.index("checking") : -1]:
            job.wait_for(later)
            queue = "cpu" if later in ON_CPU else "gpu"
            os.killpg(one_machine.service.pid_of(f"worker --queues {queue}"), signal.SIGKILL)

    disturb(one_machine, kill, stages=["uploading"])


def test_a_process_that_runs_out_of_memory_costs_a_checkpoint_interval(
    one_machine: Installation, disturb: Callable[..., MainJob]
) -> None:
    """As the kernel does: it kills the process that computes, and not the worker around it."""

    def kill(job: MainJob, stage: str, chance: random.Random) -> None:
        queue = "cpu" if stage in ON_CPU else "gpu"
        worker = one_machine.service.pid_of(f"worker --queues {queue}")

        def forks() -> list[int]:
            return [
                pid
                for pid in one_machine.service.pids()
                if pid != worker and os.getpgid(pid) == worker
            ]

        for pid in wait_until(forks, "it has forked"):
            os.kill(pid, signal.SIGKILL)

    disturb(one_machine, kill, errors=LOST_WORKER)


def test_a_killed_broker_costs_nothing(
    one_machine: Installation, disturb: Callable[..., MainJob]
) -> None:
    def kill(job: MainJob, stage: str, chance: random.Random) -> None:
        os.kill(one_machine.service.pid_of("valkey-server"), signal.SIGKILL)

    disturb(one_machine, kill, errors=LOST_BROKER)


def test_a_killed_supervisor_takes_all_down_and_its_next_start_goes_on(
    one_machine: Installation, disturb: Callable[..., MainJob]
) -> None:
    def kill(job: MainJob, stage: str, chance: random.Random) -> None:
        one_machine.service.process.kill()
        one_machine.service.process.wait()
        wait_until(lambda: one_machine.service.pids() == {}, "all died with it", 5)
        one_machine.start()

    disturb(one_machine, kill)

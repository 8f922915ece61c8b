"""Another program holds the database for longer than anybody waits for it."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from app.core.db import BUSY_TIMEOUT_MS
from tests.e2e.faults.installation import Installation
from tests.e2e.faults.main_job import MainJob

pytestmark = pytest.mark.slow


def test_a_locked_database_holds_the_job_up_and_costs_nothing(
    one_machine: Installation, disturb: Callable[..., MainJob]
) -> None:
    def lock(job: MainJob, stage: str, chance: random.Random) -> None:
        path = one_machine.seen / "exchange.db"
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            job.pause(BUSY_TIMEOUT_MS / 1000 + chance.uniform(1, 4))
            other.execute("ROLLBACK")

    disturb(one_machine, lock)

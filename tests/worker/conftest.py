"""Real workers: processes of their own, a Valkey server, SQLite and a folder of objects."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from iadd.data.image_set import ImageSet
from tests.fixtures.broker import Broker
from tests.fixtures.squares import draw_squares
from tests.fixtures.worker_harness import WorkerHarness, open_harness


@pytest.fixture(scope="session")
def harness(
    tmp_path_factory: pytest.TempPathFactory, broker_process: Broker, migrated_sqlite: Path
) -> Iterator[WorkerHarness]:
    """One with a worker that runs; shared by the tests that leave the worker alone."""
    harness = open_harness(tmp_path_factory.mktemp("harness"), broker_process, migrated_sqlite)
    harness.start_worker()
    yield harness
    harness.close()


@pytest.fixture
def own_harness(
    tmp_path: Path, broker_process: Broker, migrated_sqlite: Path
) -> Iterator[WorkerHarness]:
    """One without a worker, for a test that starts and kills its own."""
    harness = open_harness(tmp_path, broker_process, migrated_sqlite)
    yield harness
    harness.close()


@pytest.fixture(scope="session")
def squares() -> ImageSet:
    """20 training images of each class."""
    return draw_squares(40, 6, 10)

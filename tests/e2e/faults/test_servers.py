"""PostgreSQL and the object store are killed; clocks of several machines are apart."""

import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.faults.installation import Installation
from tests.e2e.faults.main_job import MainJob
from tests.fixtures.database import PostgresServer, postgres_database
from tests.fixtures.object_store import ObjectStoreServer

pytestmark = pytest.mark.slow

LONGEST_OUTAGE = 8.0
"""Seconds. Of longer ones a job says that the storage did not answer, and what was kept."""


@dataclass(frozen=True)
class Cluster:
    installation: Installation
    postgres: PostgresServer
    objects: ObjectStoreServer


@pytest.fixture(scope="module")
def clock_shift(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("clocks that are apart need Linux and a C compiler")
    library = tmp_path_factory.mktemp("clock") / "clock_shift.so"
    source = Path(__file__).with_name("clock_shift.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Cluster]:
    """The service over PostgreSQL and S3, as on several machines."""
    objects = ObjectStoreServer(tmp_path_factory.mktemp("s3"))
    # Not below pytest's own folders: the path of a socket may have about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="exchange-test-") as folder:
        postgres = PostgresServer(Path(folder))
        objects.start()
        postgres.start()
        try:
            with objects.reached():
                installation = Installation(
                    tmp_path_factory.mktemp("cluster") / "data",
                    migrated_sqlite,
                    environment={
                        "EXCHANGE_DATABASE_URL": postgres_database(folder, "faults"),
                        "EXCHANGE_STORAGE_URL": "s3://exchange/faults",
                    },
                )
                yield Cluster(installation, postgres, objects)
                installation.close()
        finally:
            postgres.stop()
            objects.kill()


def test_a_killed_database_costs_nothing(cluster: Cluster, disturb: Callable[..., MainJob]) -> None:
    def kill(job: MainJob, stage: str, chance: random.Random) -> None:
        cluster.postgres.kill()
        job.pause(chance.uniform(0, LONGEST_OUTAGE))
        cluster.postgres.start()

    disturb(cluster.installation, kill)


def test_a_killed_object_store_costs_nothing(
    cluster: Cluster, disturb: Callable[..., MainJob]
) -> None:
    def kill(job: MainJob, stage: str, chance: random.Random) -> None:
        cluster.objects.kill()
        job.pause(chance.uniform(0, LONGEST_OUTAGE))
        cluster.objects.start()

    disturb(cluster.installation, kill)


def test_workers_whose_clocks_are_apart_leave_each_others_rows_alone(
    cluster: Cluster,
    disturb: Callable[..., MainJob],
    chance: random.Random,
    clock_shift: Path,
) -> None:
    """One in the past and one in the future, by more than a lease; each takes what it is sent."""

    def send_again(job: MainJob, stage: str, chance: random.Random) -> None:
        cluster.installation.send_all_of(job.dataset_id, job.distillation_id, chance)

    shifted = {"LD_PRELOAD": str(clock_shift), "CLOCK_OF": "worker"}
    # By more than a quarter of an hour, S3 itself refuses a machine.
    behind, ahead = (str(chance.randint(10, 800)) for _ in range(2))
    with (
        cluster.installation.another_worker("cpu,gpu", **shifted, CLOCK_SHIFT=f"-{behind}"),
        cluster.installation.another_worker("cpu,gpu", **shifted, CLOCK_SHIFT=ahead),
    ):
        disturb(cluster.installation, send_again)

"""Rounds of faults: each has a seed, which its test's name shows and which chooses the moment."""

import os
import random
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

# Before they are imported: pytest rewrites asserts as it loads.
pytest.register_assert_rewrite("tests.e2e.faults.main_job", "tests.e2e.faults.afterwards")

from tests.e2e.conftest import zipped  # noqa: E402
from tests.e2e.faults.afterwards import Undisturbed, expect_all_well  # noqa: E402
from tests.e2e.faults.installation import Installation  # noqa: E402
from tests.e2e.faults.main_job import MainJob  # noqa: E402

ROUNDS = int(os.environ.get("EXCHANGE_FAULT_ROUNDS", "1"))
FIRST_SEED = int(os.environ.get("EXCHANGE_FAULT_SEED", "1"))

Fault = Callable[[MainJob, str, random.Random], None]
"""What is done to the service, given the job, the stage that it is in, and what chance decides."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        seeds = range(FIRST_SEED, FIRST_SEED + ROUNDS)
        metafunc.parametrize("seed", seeds, ids=[f"seed{seed}" for seed in seeds])


@pytest.fixture
def chance(request: pytest.FixtureRequest, seed: int) -> random.Random:
    # By the test's name, with its seed: else all faults of a round would come at one moment.
    return random.Random(request.node.name)


@pytest.fixture(scope="session", autouse=True)
def _own_notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the client's notes of unfinished uploads out of the user's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def archive_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "ward.zip"
    path.write_bytes(zipped(0, each=16))
    return path


@pytest.fixture(scope="session")
def one_machine(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[Installation]:
    """`exchange up`, shared by the faults that it outlives."""
    installation = Installation(tmp_path_factory.mktemp("faults") / "data", migrated_sqlite)
    yield installation
    installation.close()


@pytest.fixture(scope="session")
def undisturbed(one_machine: Installation, archive_file: Path) -> Undisturbed:
    """The run that all others are held against."""
    job = MainJob(one_machine, archive_file)
    job.run()
    return Undisturbed.of(one_machine, job)


@pytest.fixture
def disturb(
    undisturbed: Undisturbed, archive_file: Path, chance: random.Random
) -> Callable[..., MainJob]:
    """`disturb(installation, fault)` runs the main job with a fault at a random moment of it."""

    def run(
        installation: Installation,
        fault: Fault,
        *,
        stages: Collection[str] = (),
        bears: Collection[str] = (),
        errors: Collection[str] = (),
    ) -> MainJob:
        stage = chance.choice([s for s in undisturbed.seconds if not stages or s in stages])
        pause = chance.uniform(0, undisturbed.seconds[stage])
        print(f"strikes {pause:.2f} s into {stage}")
        log_sizes = installation.log_sizes()
        job = MainJob(installation, archive_file, bears=bears)

        def strike() -> None:
            job.wait_for(stage)
            job.pause(pause)
            try:
                fault(job, stage, chance)
            finally:
                job.may_go_on.set()

        with ThreadPoolExecutor(1) as pool:
            struck = pool.submit(strike)
            job.run()
            struck.result()
        expect_all_well(installation, job, undisturbed, log_sizes=log_sizes, errors=errors)
        return job

    return run

"""What all tests share: fixtures, parts that a machine lacks, and their environment."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Before NumPy is loaded, here and in what tests start: small matrices are done by one thread, while
# several of them on busy cores wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import pytest

from tests.fixtures.certificates import write_certificate

pytest_plugins = [
    "tests.fixtures.waiting",  # first, since others import it: pytest rewrites asserts as it loads
    "tests.fixtures.broker",
    "tests.fixtures.chromium",
    "tests.fixtures.commands",
    "tests.fixtures.database",
    "tests.fixtures.faulty_proxy",
    "tests.fixtures.mail_server",
    "tests.fixtures.portal",
    "tests.fixtures.releases",
    "tests.fixtures.webhook_receiver",
    "tests.fixtures.s3",  # last, since it imports one of them
]

# Bytecode is kept, here and by what tests start, even where the environment asks for none: each of
# some hundred processes would compile every module again, and pytest rewrite every assert.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Hypothesis limits the time of an example, and no test may depend on how busy the machine is.
hypothesis.settings.register_profile("any-machine", deadline=None)
hypothesis.settings.load_profile("any-machine")

COMPILE_CACHES = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a fifth of the time tests wait for servers they started."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    # No test calls the internet, and reading the public authorities takes each client 40 ms.
    folder = tempfile.TemporaryDirectory(prefix="exchange-test-")
    config.add_cleanup(folder.cleanup)
    os.environ["SSL_CERT_FILE"] = str(write_certificate(Path(folder.name) / "nobody.pem"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("EXCHANGE_TEST_DATABASE"):
        # The others would run again as they are.
        others = [one for one in items if "fresh_database" not in getattr(one, "fixturenames", ())]
        config.hook.pytest_deselected(items=others)
        kept = set(items) - set(others)
        items[:] = [one for one in items if one in kept]
    # A parallel run hands out files in this order: what takes long must not be left to the end.
    long = ("tests/e2e", "tests/worker", "tests/iadd/reproduce")
    items.sort(key=lambda item: not item.nodeid.startswith(long))


def pytest_collection_finish() -> None:
    # What was imported and collected stays to the end. Left to the garbage collector, it would cost
    # each of its passes up to a second, and the product asks for one whenever memory runs out.
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _umask_as_before() -> Iterator[None]:
    """A command of the service lets nobody read what its process writes from then on."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Torch writes these into the environment of a process that has compiled, and a worker that a
    # later test starts would take them for its operator's choice.
    for name in COMPILE_CACHES:
        os.environ.pop(name, None)
    if item.get_closest_marker("gpu"):
        import torch  # takes seconds, and few tests are marked

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")

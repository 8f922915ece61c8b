"""What all tests share: parts that a machine lacks, and what torch leaves in the environment."""

import os

import pytest

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
]

COMPILE_CACHES = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Torch writes these into the environment of a process that has compiled, and a worker that a
    # later test starts would take them for its operator's choice.
    for name in COMPILE_CACHES:
        os.environ.pop(name, None)
    if item.get_closest_marker("gpu"):
        import torch  # takes seconds, and few tests are marked

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")

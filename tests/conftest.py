"""What all tests share: a part that the machine lacks skips its tests, with the reason."""

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch  # takes seconds, and few tests are marked

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")

"""Every phase keeps its tensors on one device, as a GPU would insist on."""

import json
import subprocess
import sys

import pytest

from tests.iadd.runtime.device_moves import CASES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def failures() -> dict[str, str]:
    """What went wrong on a pretended GPU, by case; in a process that knows one device more."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.iadd.runtime.device_moves"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    found: dict[str, str] = json.loads(finished.stdout)
    return found


def test_a_pretended_gpu_refuses_tensors_of_two_devices(failures: dict[str, str]) -> None:
    assert "at least two devices" in failures["two devices"]


@pytest.mark.parametrize("case", CASES)
def test_a_phase_keeps_its_tensors_on_one_device(failures: dict[str, str], case: str) -> None:
    found = [text for name, text in failures.items() if name.startswith(case)]
    assert not found, "\n".join(text[-2000:] for text in found)

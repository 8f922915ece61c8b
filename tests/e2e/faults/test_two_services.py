"""A second service on the same folder, while the first one works."""

import random
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.e2e.faults.installation import Installation
from tests.e2e.faults.main_job import MainJob

pytestmark = pytest.mark.slow


def test_a_second_service_on_the_folder_is_refused_and_disturbs_nothing(
    one_machine: Installation, disturb: Callable[..., MainJob]
) -> None:
    def start(job: MainJob, stage: str, chance: random.Random) -> None:
        folder = str(one_machine.folder)
        command = [sys.executable, "-P", "-m", "app.cli", "up", "--data-dir", folder, "--port", "0"]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert refused.returncode == 1
        assert f"process {one_machine.service.process.pid}" in refused.stderr
        assert "--data-dir" in refused.stderr

    disturb(one_machine, start)

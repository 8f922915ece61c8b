"""The scripts of pages, as far as they can run without a browser."""

import shutil
import subprocess
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parents[3] / "frontend"


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node on this machine")
def test_what_scripts_compute_is_right():
    files = sorted((FRONTEND / "test").glob("*.test.mjs"))
    assert files
    ran = subprocess.run(
        ["node", "--test", *map(str, files)], cwd=FRONTEND, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr

"""The walls of the house: who imports whom, and what the portal never loads."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("module", ["app.main", "app.cli", "app.standalone.service"])
def test_the_portal_loads_no_torch(module):
    program = (
        f"import sys, {module}; "
        "print([name for name in ('torch', 'numpy', 'PIL', 'iadd', 'worker') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_imports_go_one_way():
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_task_is_ever_run_eagerly():
    sources = [*ROOT.glob("app/**/*.py"), *ROOT.glob("worker/**/*.py")]
    assert sources
    assert not [path for path in sources if "task_always_eager" in path.read_text()]

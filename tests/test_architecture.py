"""Who imports whom, and what the portal never loads."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


TORCH_FREE = {
    "iadd.bundle.format",
    "iadd.config",
    "iadd.counts",
    "iadd.dp.accountant",
    "iadd.dp.ledger",
    "iadd.forecast.arithmetic",
    "iadd.intake.deidentify.hashes",
    "iadd.intake.deidentify.names",
    "iadd.intake.deidentify.words",
    "iadd.intake.errors",
    "iadd.intake.layout.mapping",
    "iadd.intake.paths",
    "iadd.intake.splits",
    "iadd.presets",
    "iadd.privacy.power",
    "iadd.privacy.statistics",
}
"""What the portal may load of the library, beside the packages that hold it."""
PACKAGES = {
    ".".join(name.split(".")[:depth])
    for name in TORCH_FREE
    for depth in range(1, name.count(".") + 1)
}


def loaded_by(program):
    """The modules of interest that a fresh interpreter holds after a program."""
    roots = ("torch", "torchvision", "numpy", "PIL", "iadd", "worker")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{program}; import sys; "
            f"print(*[name for name in sys.modules if name.partition('.')[0] in {roots}])",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(done.stdout.split())


def test_the_portal_loads_what_is_free_of_torch_and_nothing_else():
    assert loaded_by("import app.main") == TORCH_FREE | PACKAGES


def test_the_library_loads_torchvision_where_it_is_used_alone():
    modules = "iadd.cli, iadd.reproduce.runner, iadd.sharing.received, iadd.bundle.image_grid"
    loaded = loaded_by(f"import {modules}")
    assert {"torch", "iadd.networks.resnet50"} <= loaded
    assert "torchvision" not in loaded


@pytest.mark.parametrize("module", ["app.cli", "app.standalone.service", *sorted(TORCH_FREE)])
def test_no_torch_is_loaded_by(module):
    assert loaded_by(f"import {module}") <= TORCH_FREE | PACKAGES


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

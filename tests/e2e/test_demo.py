"""`exchange demo`: the whole way, and the ways in which it can end early."""

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from app.cli.demo import run_demo
from app.cli.exit_codes import Exit
from app.distillations.presets import get_preset
from app.signing.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable


# Two classes of as many images as the preset of the demonstration says.
DISTILLED = 2 * get_preset("cpu_demo").settings({}, {})["images_per_class"]
TINY = {
    "width": 4,
    "teachers": 1,
    "teacher_epochs": 2,
    "iterations": 2,
    "syn_steps": 1,
    "expert_epochs": 1,
    "max_start_epoch": 1,
    "validate_every": 0,
    "evaluation_networks": 2,
    "evaluation_epochs": 2,
    "baseline_lrs": [0.01],
    "full_epochs": 1,
}


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the demonstration's own folder is made, and must not stay.

    Not in a test's folder: the path of a broker's socket has 107 letters at most.
    """
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr("tempfile.tempdir", None)
        yield Path(folder)


def demo(data: Path, out: Path, **options: object) -> tuple[int, str]:
    output = io.StringIO()
    console = Console(file=output, width=200, highlight=False)
    code = run_demo(data, out, console=console, **options)  # type: ignore[arg-type]
    return code, output.getvalue()


@pytest.mark.slow
def test_the_demo_leaves_a_verified_bundle_and_nothing_else(
    archive: bytes, tmp_path: Path, temporary: Path
) -> None:
    data, out = tmp_path / "chest [bold].zip", tmp_path / "out"
    data.write_bytes(archive)
    code, said = demo(data, out, overrides=TINY)
    assert code == 0, said
    assert sorted(path.name for path in out.iterdir()) == [
        "bundle.zip",
        "report.html",
        "report.json",
        "report.pdf",
    ]
    assert verify_bundle(out / "bundle.zip").exit_code == 0
    utility = json.loads((out / "report.json").read_text())["utility"]
    for name, title, images in (
        ("distilled", "the distilled set", DISTILLED),
        ("start", "its start, not distilled", DISTILLED),
        ("random", "as many random real images", DISTILLED),
        ("full", "all training images", 44),
    ):
        score = utility[name]["balanced_accuracy"]
        row = next(line for line in said.splitlines() if title in line)
        assert f" {images} " in row
        assert f"{score['mean']:.3f} ± {score['std']:.3f}" in row
    for words in (
        "is removed at the end",
        "COVID: 22 images to train with, 2 to choose by, 6 to test with",
        "teaching: done in",
        "packaging: done in",
        f"44 training images became {DISTILLED}: {44 / DISTILLED:.0f} times fewer",
        str(out / "report.html"),
    ):
        assert words in said
    assert list(temporary.glob("exchange-*")) == []


@pytest.mark.slow
def test_a_rejected_archive_ends_the_demo_with_the_reason(tmp_path: Path, temporary: Path) -> None:
    data, out = tmp_path / "notes.zip", tmp_path / "out"
    data.write_bytes(b"no archive")
    code, said = demo(data, out)
    assert code == 1
    assert "The archive was rejected." in said
    assert "neither a zip nor a tar archive" in said
    assert f"logs are in {out / 'logs'}" in said
    assert [path.name for path in out.iterdir()] == ["logs"]
    assert list(temporary.glob("exchange-*")) == []


def test_what_is_no_file_starts_nothing(tmp_path: Path, temporary: Path) -> None:
    code, said = demo(tmp_path / "missing.zip", tmp_path / "out")
    assert code == 1
    assert "missing.zip is not a file" in said
    assert list(temporary.glob("exchange-*")) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_nothing_behind(
    number: signal.Signals,
    archive: bytes,
    tmp_path: Path,
    temporary: Path,
    wait_until: "Callable[..., object]",
) -> None:
    data = tmp_path / "chest.zip"
    data.write_bytes(archive)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "app.cli", "demo"),
                *("--data", str(data), "--out", str(tmp_path / "out")),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Whoever runs the tests in the background ignores SIGINT, and a child inherits that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    wait_until(lambda: "teaching" in log.read_text(), "a phase has begun")
    process.send_signal(number)
    assert process.wait(timeout=60) == Exit.INTERRUPTED
    assert "Stopped, and the service with it." in log.read_text()
    assert list(temporary.glob("exchange-*")) == []
    assert processes_with(str(temporary)) == []


def processes_with(words: str) -> list[str]:
    """Command lines of processes that have these words in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                if words.encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found

"""What people see of a long job: bars on a terminal, lines elsewhere."""

import io
import re

import pytest
from rich.console import Console

from app.cli import progress
from app.cli.progress import duration, size, step_display


def shown(*, on_terminal: bool) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=on_terminal, width=120, highlight=False)
    with step_display(console) as display:
        display.show("uploading", 0, 2_000_000, "bytes")
        display.show("uploading", 1_500_000, 2_000_000, "bytes")
        display.finish("uploading")
        display.show("teaching", 1, 3, "teachers", left=200)
        display.show("teaching", 2, 3, "teachers", left=100)
        display.finish("teaching")
        display.finish("teaching")
        display.finish("packaging")
    return output.getvalue()


def test_bars_end_full_with_their_counts() -> None:
    screen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown(on_terminal=True))
    last = {line.split()[0]: line for line in screen.splitlines() if line.strip()}
    assert "1.5 MB of 2.0 MB" in last["uploading"]
    assert "2 of 3 teachers" in last["teaching"]
    assert all("100%" in last[step] for step in ("uploading", "teaching", "packaging"))


def test_a_log_gets_lines_and_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0)
    assert shown(on_terminal=False).splitlines() == [
        "uploading: 0 bytes of 2.0 MB",
        "uploading: 1.5 MB of 2.0 MB",
        "uploading: done in 0 s",
        "teaching: 1 of 3 teachers, whole job: about 3 min left",
        "teaching: 2 of 3 teachers, whole job: about 2 min left",
        "teaching: done in 0 s",
        "packaging: done in 0 s",
    ]


def test_a_log_is_not_flooded() -> None:
    assert shown(on_terminal=False).splitlines() == [
        "uploading: 0 bytes of 2.0 MB",
        "uploading: done in 0 s",
        "teaching: 1 of 3 teachers, whole job: about 3 min left",
        "teaching: done in 0 s",
        "packaging: done in 0 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (89, "89 s"), (100, "2 min"), (5399, "90 min"), (5400, "1.5 h")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2.5e8, "250 MB"), (3.21e9, "3.2 GB")],
)
def test_sizes(count: float, words: str) -> None:
    assert size(count) == words


def test_how_fast_it_goes_is_of_this_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    pace = progress.TransferRate(seconds=10)
    assert pace.after(5_000_000) is None  # what an earlier run has sent
    now = 2.0
    assert pace.after(7_000_000) == 1_000_000
    now = 3.0
    assert pace.after(6_000_000) is None  # a line broke
    now = 5.0
    assert pace.after(10_000_000) == 2_000_000


def test_a_log_tells_how_fast_a_transfer_is_and_what_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = io.StringIO()
    with step_display(Console(file=output, width=120, highlight=False)) as display:
        display.show("uploading", 1e9, 3e9, "bytes", rate=2e7)
    assert output.getvalue() == "uploading: 1.0 GB of 3.0 GB, 20.0 MB/s, about 2 min left\n"

"""The page holds what was measured, and what was not."""

import sys
from pathlib import Path

import pytest

from benchmarks import page
from benchmarks.page import Outcome, file_name, run, say_what_bounds, write_page

MACHINE = {"cpu": "Some (R) CPU", "cores": 2, "gpu": None, "torch": "2.14"}


def test_a_benchmark_answers_with_an_object() -> None:
    outcome = run("echo", ["json.tool", "--help"])
    assert outcome.result is None
    assert "no JSON" in outcome.problem


def test_a_missing_benchmark_is_said_and_not_left_out() -> None:
    outcome = run("ghost", ["benchmarks.ghost"])
    assert outcome.result is None
    text = write_page([outcome], MACHINE, "2026-01-02")
    assert "**Failed: ghost.**" in text
    assert "There is no benchmarks.ghost." in text


@pytest.mark.slow
def test_a_failing_benchmark_leaves_its_last_words() -> None:
    outcome = run("failing", ["benchmarks.matching", "--json", "--width", "none"])
    assert outcome.result is None
    assert "invalid int value" in write_page([outcome], MACHINE, "2026-01-02")


def test_numbers_are_listed_by_their_full_name() -> None:
    found = {"speed": {"ours": 1234.5678, "tf32": True}, "machine": MACHINE, "rounds": 3000}
    text = write_page([Outcome("teachers", "python -m x", found)], MACHINE, "2026-01-02")
    assert "| speed.ours | 1235 |" in text
    assert "| speed.tf32 | yes |" in text
    assert "| rounds | 3,000 |" in text
    assert "Failed" not in text


def test_what_bounds_the_matching_step_follows_from_its_numbers() -> None:
    said = say_what_bounds(
        {
            "seconds_per_step": {"unrolled_default": 1.6, "ours_compiled": 1.25},
            "operations_per_step": {"unrolled": 180e9, "ours": 220e9},
            "peaks": {"matmul": 180e9, "convolution": 220e9},
            "unrolled": "unrolled_default",
            "ours": "ours_compiled",
            "speedup": 1.28,
            "speedup_bound": 1.6,
            "fraction_of_peak": 0.8,
            "unrolled_fraction_of_peak": 0.51,
        }
    )
    assert "1.28 times as fast" in said
    assert "takes 1 s at least" in said
    assert "more than 1.60 times" in said


def test_a_page_is_named_after_its_day_and_machine() -> None:
    assert file_name(MACHINE, "2026-01-02") == "2026-01-02-some-r-cpu-2-cores.md"
    gpu = {**MACHINE, "gpu": "NVIDIA H100 80GB HBM3"}
    assert file_name(gpu, "2026-01-02") == "2026-01-02-nvidia-h100-80gb-hbm3.md"


def test_the_command_ends_badly_when_a_benchmark_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(page.BENCHMARKS, "allocator", ["benchmarks.ghost"])
    monkeypatch.setattr(sys, "argv", ["page", "--only", "allocator", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="Failed: allocator"):
        page.main()
    (written,) = tmp_path.iterdir()
    assert "Failed: allocator" in written.read_text()

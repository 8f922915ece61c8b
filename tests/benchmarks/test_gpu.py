"""What a GPU is measured with is rehearsed on a CPU: every row, and what becomes of a bad one."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu import (
    MOST_SECONDS,
    ROWS,
    Measurement,
    Outcome,
    Row,
    Scale,
    main,
    print_row,
    read_measurements,
    run_row,
    to_table,
)

MACHINE = {"gpu": "NVIDIA H100", "cpu": "CPU", "torch": "2.14", "cuda": "13.0", "cudnn": 91000}


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_runs_on_a_cpu_and_gives_numbers(
    row: Row, capsys: pytest.CaptureFixture[str]
) -> None:
    print_row(row, Scale.of_rehearsal())
    found = read_measurements(capsys.readouterr().out)
    assert found
    assert all(isinstance(one.value, float | int) for one in found)
    assert len({one.what for one in found}) == len(found)


def test_all_rows_together_take_less_than_twelve_minutes() -> None:
    assert sum(row.budget for row in ROWS) <= MOST_SECONDS
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_the_sizes_of_a_gpu_are_the_papers_and_none_of_a_rehearsal_is() -> None:
    paper, rehearsal = Scale.of_gpu(), Scale.of_rehearsal()
    assert (paper.matching.width, paper.matching.image_size, paper.matching.batch) == (128, 112, 80)
    assert paper.run.teacher.teacher_batch_size == 256
    assert rehearsal.device.type == "cpu"
    assert rehearsal.matching.width < 16


@pytest.mark.slow
def test_a_row_runs_in_a_process_of_its_own() -> None:
    (peak,) = (row for row in ROWS if row.name == "peak")
    outcome = run_row(peak, rehearse=True, most=600)
    assert outcome.problem == ""
    assert {one.unit for one in outcome.found} == {"TFLOP/s"}
    assert len(outcome.found) == 6


def test_a_row_that_does_not_end_keeps_what_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps(Measurement("matmul", 1.5, "TFLOP/s")) + '\n["cut o'

    def expire(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("row", 3, output=line.encode())

    monkeypatch.setattr(gpu.subprocess, "run", expire)
    outcome = run_row(ROWS[0], rehearse=True, most=3)
    assert outcome.found == (Measurement("matmul", 1.5, "TFLOP/s"),)
    assert outcome.problem == "It did not end within 3 s."


def test_a_row_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(line: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(line, 1, "", "Traceback …\nRuntimeError: no kernel")

    monkeypatch.setattr(gpu.subprocess, "run", fail)
    assert run_row(ROWS[0], rehearse=True, most=3).problem == "RuntimeError: no kernel"


def test_one_table_holds_every_number_and_what_failed() -> None:
    outcomes = [
        Outcome("peak", (Measurement("matmul, tf32", 412.345, "TFLOP/s"),), 12.0),
        Outcome("graphs", (), 90.0, "It did not end within 90 s."),
    ]
    table = to_table(outcomes, MACHINE, rehearsal=False)
    assert "| peak | matmul, tf32 | 412.3 | TFLOP/s |" in table
    assert "| graphs | **not finished**: It did not end within 90 s. | | |" in table
    assert "NVIDIA H100" in table
    assert "rehearsal" not in table
    assert "these numbers mean nothing" in to_table(outcomes, MACHINE, rehearsal=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_gpu_it_points_to_the_rehearsal() -> None:
    with pytest.raises(SystemExit, match="--rehearse runs the same rows"):
        main([])


@pytest.mark.slow
def test_the_command_rehearses_and_leaves_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu", "--rehearse", "--only", "peak"])
    main(["--rehearse", "--only", "peak", "--out", str(tmp_path)])
    (page,) = tmp_path.iterdir()
    assert "| peak | matmul, bfloat16 |" in page.read_text()
    assert "| peak | matmul, bfloat16 |" in capsys.readouterr().out

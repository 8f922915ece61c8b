"""The matching benchmark measures what it promises."""

import json
import subprocess
import sys

import pytest
import torch

from benchmarks.matching import compare, flops_of, gradient_error, paper_case
from benchmarks.problem import Problem, Size, relative_error
from iadd.runtime.flops import count_flops

TINY = Size(width=4, depth=2, image_size=16, batch=3, steps=2)
CPU = torch.device("cpu")


@pytest.fixture
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    # Compiling takes half a minute; tests/iadd hold its result.
    monkeypatch.setattr("benchmarks.matching.can_compile", lambda kind: False)
    monkeypatch.setattr("benchmarks.roofline._SECONDS", 0.0)


def test_our_gradient_is_the_unrolled_one() -> None:
    assert gradient_error(CPU) < 1e-12


def test_a_wrong_gradient_would_show() -> None:
    problem = Problem.make(TINY, dtype=torch.float64)
    found = problem.ours(compiled=False)()
    loss, images, syn_lr, weights = problem.unrolled(torch.contiguous_format)()
    assert relative_error(found, (loss, images, 1.01 * syn_lr, weights)) > 5e-3


def test_both_layouts_of_the_unrolled_one_agree() -> None:
    problem = Problem.make(TINY, dtype=torch.float64)
    default, last = (
        problem.unrolled(layout)() for layout in (torch.contiguous_format, torch.channels_last)
    )
    for one, other in zip(default, last, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("ours", ["ours_eager", "ours_compiled"])
def test_flops_are_those_of_the_whole_batch(ours: str) -> None:
    counted = flops_of(TINY, ours)
    problem = Problem.make(TINY)
    assert counted["unrolled"] == count_flops(problem.unrolled(torch.contiguous_format))
    assert counted["ours"] == count_flops(problem.ours(compiled=ours == "ours_compiled"))


@pytest.mark.usefixtures("_eager")
def test_the_object_has_what_was_promised() -> None:
    found = compare(TINY, precision="float32", device=CPU, repeats=1)
    assert found["speedup"] > 0
    assert found["fraction_of_peak"] > 0
    took = found["seconds_per_step"]
    assert took[found["unrolled"]] == min(took["unrolled_default"], took["unrolled_channels_last"])
    peak = max(found["peaks"].values())
    at_peak = found["operations_per_step"]["ours"] / peak
    assert found["speedup_bound"] == pytest.approx(took[found["unrolled"]] / at_peak)
    assert max(found["error_at_precision"].values()) < 1e-2


@pytest.mark.usefixtures("_eager")
def test_the_papers_case_is_projected_where_it_is_not_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = Size(width=2, depth=1, image_size=8, channels=3, classes=10, batch=2, steps=50)
    monkeypatch.setattr("benchmarks.matching.PAPER", small)
    found = paper_case(precision="float32", device=CPU, steps=2)
    assert found["projected"]
    assert found["measured_steps"] == 2
    assert found["seconds"] > 0


@pytest.mark.slow
def test_the_peak_is_that_of_a_fresh_process() -> None:
    command = [sys.executable, "-m", "benchmarks.matching", "--device", "cpu"]
    command += ["--peak-of", "ours", "--steps", "1"]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    assert 1e6 < json.loads(finished.stdout) < 2e9

"""Replays overwrite results; a rehearsal on a CPU shows who would notice on a GPU."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.problem import Problem, Size, relative_error
from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.distillation.distill import distill
from iadd.runtime import compile as compiling
from iadd.runtime.compile import compile_step
from iadd.runtime.graphs import chosen_graphs, using_graphs
from iadd.trajectories.record import record_trajectories

SMALL = Size(width=4, depth=2, image_size=8, classes=2, batch=6, steps=4)


@pytest.fixture
def rehearsed() -> Callable[[torch.Tensor], torch.Tensor]:
    with using_graphs("rehearsed"):
        return compile_step(lambda tensor: 2 * tensor)


def test_a_machine_without_a_gpu_records_nothing() -> None:
    expected = "recorded" if torch.cuda.is_available() else "off"
    assert chosen_graphs() == expected
    with using_graphs("rehearsed"):
        assert chosen_graphs() == "rehearsed"
    assert chosen_graphs() == expected


def test_the_next_replay_of_any_step_destroys_what_the_last_one_returned(
    rehearsed: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    with using_graphs("rehearsed"):
        other = compile_step(lambda tensor: (tensor > 0, tensor.long()))
    ones = torch.ones(3)
    first = rehearsed(ones)
    assert first.tolist() == [2, 2, 2]
    is_positive, whole = other(ones)
    assert first.isnan().all()
    assert is_positive.all()
    kept = whole.clone()
    rehearsed(ones)
    assert not is_positive.any()
    assert whole.tolist() == [torch.iinfo(torch.int64).max] * 3
    assert kept.tolist() == [1, 1, 1]


def test_the_callers_own_tensors_stay_whole() -> None:
    with using_graphs("rehearsed"):
        same = compile_step(lambda tensor: tensor)
    given = torch.ones(3)
    same(given), same(given)
    assert given.tolist() == [1, 1, 1]


def test_a_gpu_compiles_for_replays_and_without_graphs_for_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, object]] = []

    def record_settings(function: object, **settings: object) -> object:
        asked.append(settings)
        return function

    monkeypatch.setattr(compiling.torch, "compile", record_settings)
    for graphs in ("off", "recorded"):
        with using_graphs(graphs):
            assert compile_step(lambda tensor: tensor + 1)(torch.zeros(1)).item() == 1
    assert asked == [{"dynamic": False}, {"dynamic": False, "mode": "reduce-overhead"}]


def test_the_matching_step_keeps_no_result_that_a_replay_overwrites() -> None:
    problem = Problem.make(SMALL, dtype=torch.float64)
    with using_graphs("rehearsed"):
        solve = problem.ours(compiled=True, automatic=True)
    expected = problem.ours(compiled=False)()
    for _ in range(2):
        assert relative_error(solve(), expected) < 1e-12


@pytest.mark.parametrize("together", [1, 2])
def test_a_run_with_replays_gives_what_a_run_without_gives(
    images: ImageSet, config: Config, tmp_path: Path, together: int
) -> None:
    config = config.override({"networks_at_once": together, "precision": "bfloat16"})

    def run(folder: Path, compilation: str) -> tuple[torch.Tensor, torch.Tensor]:
        settings = config.override({"compilation": compilation})
        buffer = record_trajectories(images, settings, out=folder)
        teachers = torch.stack([buffer.snapshot(n, buffer.epochs) for n in range(len(buffer))])
        found = distill(images, buffer, settings)
        return teachers, replace(found, config=config).images

    eager = run(tmp_path / "eager", "never")
    with using_graphs("rehearsed"):
        replayed = run(tmp_path / "replayed", "always")
    for one, other in zip(eager, replayed, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-3)

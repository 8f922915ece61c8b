"""The plots and numbers of section 4.3."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.distillation.distill import distill
from iadd.reproduce.plots import draw_run, measure_run, rank_correlation
from iadd.trajectories.record import record_trajectories


@pytest.fixture
def distilled(images: ImageSet, config: Config, tmp_path: Path) -> DistilledDataset:
    teachers = record_trajectories(images, config, out=tmp_path / "teachers")
    return distill(images, teachers, config.override({"lr_weights": 0.01}))


def test_the_rank_correlation_sees_order_alone() -> None:
    values = torch.tensor([1.0, 2.0, 5.0, 9.0])
    assert rank_correlation(values, values.exp()) == pytest.approx(1)
    assert rank_correlation(values, -(values**3)) == pytest.approx(-1)
    assert rank_correlation(values, torch.ones(4)) is None


def test_ties_share_their_mean_rank() -> None:
    # Ranks 1.5, 1.5, 3 and 1, 2, 3: the correlation by hand is 1.5 / sqrt(1.5 · 2).
    tied = rank_correlation(torch.tensor([4.0, 4.0, 7.0]), torch.tensor([1.0, 2.0, 3.0]))
    assert tied == pytest.approx(1.5 / 3**0.5)


@pytest.mark.slow
def test_large_differences_got_small_weights(distilled: DistilledDataset) -> None:
    facts = measure_run(distilled)
    assert facts["rank_correlation"] < -0.5
    assert facts["weights"]["min"] < facts["weights"]["mean"] < 1
    assert facts["best_iteration"] == distilled.best_iteration


@pytest.mark.slow
def test_equal_runs_draw_equal_files(distilled: DistilledDataset, tmp_path: Path) -> None:
    first, second = (draw_run(distilled, tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in first] == [path.name for path in second]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_set_without_weights_has_its_history_alone(
    distilled: DistilledDataset, tmp_path: Path
) -> None:
    bare = replace(distilled, importance_weights=None, difference=None)
    assert {path.stem for path in draw_run(bare, tmp_path / "plots")} == {"history"}
    assert "weights" not in measure_run(bare)

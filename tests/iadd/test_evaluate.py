import sys
from pathlib import Path

import pytest
import torch

from iadd.config import Config
from iadd.distill import distill
from iadd.distilled import DistilledDataset
from iadd.evaluate import evaluate, evaluate_full, evaluate_random
from iadd.imageset import ImageSet
from iadd.progress import Progress
from iadd.selection import TooFewImagesError
from iadd.trajectory import record_trajectories


@pytest.fixture
def distilled(images: ImageSet, config: Config, tmp_path: Path) -> DistilledDataset:
    buffer = record_trajectories(images, config, out=tmp_path)
    return distill(images, buffer, config)


def test_an_evaluation_is_the_spread_of_networks_trained_from_scratch(
    images: ImageSet, distilled: DistilledDataset, config: Config
) -> None:
    seen: list[Progress] = []
    found = evaluate(distilled, images, config, on_progress=seen.append)
    assert found.to_dict()["balanced_accuracy"]["n"] == 2
    assert found.lr == distilled.syn_lr
    assert found.training_images == 4
    assert sum(map(sum, found.to_dict()["confusion"])) == 2 * len(images.part("test"))
    assert (seen[-1].done, seen[-1].total) == (8, 8)
    assert found.to_dict() == evaluate(distilled, images, config).to_dict()


def test_training_on_everything_learns_what_is_easy(images: ImageSet, config: Config) -> None:
    found = evaluate_full(images, config.override({"full_epochs": 15}))
    assert found.spread("balanced_accuracy")["mean"] > 0.9
    assert found.training_images == len(images.part("train"))


def test_the_random_baseline_takes_another_subset_for_each_network_and_its_own_rate(
    images: ImageSet, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, torch.Tensor]] = []
    module = sys.modules["iadd.evaluate"]  # the package shows the function of that name
    original = module.random_images

    def record(train: ImageSet, per_class: int, *, seed: int, purpose: str) -> torch.Tensor:
        drawn.append((purpose, original(train, per_class, seed=seed, purpose=purpose)))
        return drawn[-1][1]

    monkeypatch.setattr(module, "random_images", record)
    found = evaluate_random(images, config)
    tested = [tuple(chosen.tolist()) for purpose, chosen in drawn if "validation" not in purpose]
    assert len(set(tested)) == len(tested) == 2
    # Learning rates are compared on the same subsets, so that luck does not choose.
    tried = [tuple(chosen.tolist()) for purpose, chosen in drawn if "validation" in purpose]
    assert len(tried) == 2
    assert len(set(tried)) == 1
    assert found.lr in config.evaluation.baseline_lrs
    assert found.training_images == 4


def test_the_rate_of_the_baseline_is_chosen_without_the_test_split(
    images: ImageSet, config: Config
) -> None:
    flipped = images.labels.clone()
    flipped[images.split == 2] = 1 - flipped[images.split == 2]
    mislabelled = ImageSet(images.images, flipped, images.classes, images.split)
    assert evaluate_random(mislabelled, config).lr == evaluate_random(images, config).lr


def test_asking_for_more_real_images_than_there_are_is_refused(
    images: ImageSet, config: Config
) -> None:
    with pytest.raises(TooFewImagesError, match="fewer images per class"):
        evaluate_random(images, config.override({"images_per_class": 500}))

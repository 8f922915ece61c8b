import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from iadd.config import Config, NetworkName
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.data.selection import TooFewImagesError
from iadd.distillation.distill import distill
from iadd.evaluation.evaluator import (
    choose_lr,
    evaluate,
    evaluate_across,
    evaluate_full,
    evaluate_random,
    evaluate_start,
    search_lr,
    validate,
)
from iadd.runtime.progress import Progress
from iadd.trajectories.record import record_trajectories


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


def test_a_start_is_evaluated_by_itself_at_a_rate_of_its_own(
    images: ImageSet, distilled: DistilledDataset, config: Config
) -> None:
    assert distilled.initial_images is not None
    start = evaluate_start(distilled, images, config)
    assert start.search is not None
    assert start.lr == start.search.best
    assert {*config.evaluation.baseline_lrs} <= {*start.search.tried}
    assert start.training_images == len(distilled.images)
    as_set = replace(
        distilled,
        images=distilled.normalisation.round_to_grey_levels(
            distilled.normalisation.clip(distilled.initial_images)
        ),
    )
    again = evaluate(as_set, images, config, lr=start.lr)
    assert start.to_dict() == replace(again, search=start.search).to_dict()


def test_a_set_without_a_start_says_so(
    images: ImageSet, distilled: DistilledDataset, config: Config
) -> None:
    with pytest.raises(ValueError, match="not distilled from a start"):
        evaluate_start(replace(distilled, initial_images=None), images, config)


def test_training_on_everything_learns_what_is_easy(images: ImageSet, config: Config) -> None:
    found = evaluate_full(images, config.override({"full_epochs": 15}))
    assert found.spread("balanced_accuracy")["mean"] > 0.9
    assert found.training_images == len(images.part("train"))
    assert found.search is None


def test_training_on_everything_may_choose_its_rate_too(images: ImageSet, config: Config) -> None:
    config = config.override({"full_epochs": 15})
    reports: list[Progress] = []
    found = evaluate_full(images, config, lrs=(0.02, 0.05, 0.1), on_progress=reports.append)
    assert found.search is not None
    assert found.lr == found.search.best
    assert {*found.search.tried} >= {0.02, 0.05, 0.1}
    # Three rates, those beyond them, and the two networks that are tested.
    networks = len(found.search.tried) + 2
    assert reports[-1].done == reports[-1].total == networks * 15
    assert found.to_dict()["lr_search"]["tried"] == list(found.search.tried)


def test_where_no_image_is_left_to_choose_by_everything_takes_the_rate_of_the_teachers(
    images: ImageSet, config: Config
) -> None:
    split = images.split.clone()
    split[split == 1] = 0
    unvalidated = ImageSet(images.images, images.labels, images.classes, split)
    found = evaluate_full(unvalidated, config, lrs=(0.01, 0.1, 1.0))
    assert found.lr == config.teacher.teacher_lr
    assert found.search is None


def test_the_random_baseline_takes_another_subset_for_each_network_and_its_own_rate(
    images: ImageSet, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, torch.Tensor]] = []
    module = sys.modules["iadd.evaluation.evaluator"]
    original = module.random_images

    def record(train: ImageSet, per_class: int, *, seed: int, rng_key: str) -> torch.Tensor:
        drawn.append((rng_key, original(train, per_class, seed=seed, rng_key=rng_key)))
        return drawn[-1][1]

    monkeypatch.setattr(module, "random_images", record)
    found = evaluate_random(images, config)
    tested = [tuple(chosen.tolist()) for rng_key, chosen in drawn if "validation" not in rng_key]
    assert len(set(tested)) == len(tested) == 2
    # Learning rates are compared on the same subsets, so that luck does not choose.
    tried = [tuple(chosen.tolist()) for rng_key, chosen in drawn if "validation" in rng_key]
    assert found.search is not None
    assert len(tried) == len(found.search.tried) >= 2
    assert len(set(tried)) == 1
    assert found.lr == found.search.best
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


@pytest.mark.parametrize("network", ["alexnet", "vgg11", "resnet18"])
def test_a_set_is_evaluated_on_other_networks_than_its_own(
    images: ImageSet, distilled: DistilledDataset, config: Config, network: NetworkName
) -> None:
    other = config.override({"network": network, "evaluation_epochs": 1, "evaluation_networks": 1})
    found = evaluate(distilled, images, other, lr=0.02)
    assert found.lr == 0.02
    assert sum(map(sum, found.to_dict()["confusion"])) == len(images.part("test"))


def test_the_rate_for_another_network_is_the_best_on_validation(
    images: ImageSet, distilled: DistilledDataset, config: Config
) -> None:
    # At the second rate, nothing is learned; at the first, everything that is easy.
    config = config.override({"baseline_lrs": (0.05, 1e-8), "evaluation_epochs": 20})
    useless = replace(distilled, syn_lr=1e-7)
    assert choose_lr(useless, images, config) >= 0.05
    assert choose_lr(replace(distilled, syn_lr=0.05), images, config) >= 0.05


def test_a_best_rate_at_the_end_of_the_grid_makes_it_grow(
    images: ImageSet, distilled: DistilledDataset, config: Config
) -> None:
    # Nothing is learned at these rates; the larger, the less little.
    config = config.override({"baseline_lrs": (1e-8, 1e-7), "evaluation_epochs": 3})
    reports: list[Progress] = []
    grown = search_lr(replace(distilled, syn_lr=1e-7), images, config, on_progress=reports.append)
    assert len(grown.tried) > 2
    assert reports[-1].done == reports[-1].total == len(grown.tried) * 3


def test_a_rate_cannot_be_chosen_without_validation_images(
    images: ImageSet, distilled: DistilledDataset, config: Config
) -> None:
    with pytest.raises(ValueError, match="validation split"):
        choose_lr(distilled, images.part("test"), config)


def test_no_test_image_takes_part_in_the_choice_of_a_rate(
    images: ImageSet, distilled: DistilledDataset, config: Config
) -> None:
    blank = images.images.clone()
    blank[images.split == 2] = 0
    blanked = ImageSet(blank, images.labels, images.classes, images.split)
    assert choose_lr(distilled, blanked, config) == choose_lr(distilled, images, config)


def test_another_network_takes_the_rate_that_suits_it(
    images: ImageSet, distilled: DistilledDataset, config: Config
) -> None:
    settings = {"baseline_lrs": (0.01, 1e-8), "evaluation_networks": 4, "evaluation_epochs": 10}
    other = config.override(settings).across("alexnet")
    reports: list[Progress] = []
    # Real images: there is something to learn, at a rate that learns.
    train = images.part("train")
    rows = torch.cat([(train.labels == label).nonzero()[:2, 0] for label in (0, 1)])
    real = distilled.normalisation.apply(train.images[rows])
    found = evaluate_across(
        replace(distilled, images=real, syn_lr=1e-7), images, other, on_progress=reports.append
    )
    assert found.search is not None
    assert found.lr == found.search.best >= 0.01
    assert len(found.scores) == 3
    assert found.training_images == len(distilled)
    # Every rate tried and three networks, ten epochs each, counted as one piece of work.
    epochs = 10 * (len(found.search.tried) + 3)
    assert [progress.done for progress in reports] == list(range(1, epochs + 1))
    assert reports[-1].total == epochs


def test_another_network_takes_alpha_where_no_image_is_left_to_choose_by(
    images: ImageSet, distilled: DistilledDataset, config: Config
) -> None:
    split = images.split.clone()
    split[split == 1] = 0
    unvalidated = ImageSet(images.images, images.labels, images.classes, split)
    reports: list[Progress] = []
    found = evaluate_across(
        distilled, unvalidated, config.across("alexnet"), on_progress=reports.append
    )
    assert found.lr == distilled.syn_lr
    assert reports[-1].done == reports[-1].total == 2 * 4


def test_how_many_networks_go_together_changes_a_figure_by_rounding_alone(
    images: ImageSet, distilled: DistilledDataset, config: Config
) -> None:
    alone, together = (
        config.override({"networks_at_once": at_once, "evaluation_networks": 3})
        for at_once in (1, 3)
    )
    for judge in (
        partial(evaluate, distilled, images),
        partial(evaluate_random, images),
        partial(evaluate_full, images),
    ):
        one, other = judge(alone), judge(together)
        for name in ("balanced_accuracy", "auroc"):
            assert one.spread(name) == pytest.approx(other.spread(name), abs=1e-3)


def test_the_precision_of_the_run_is_that_of_the_evaluation(
    images: ImageSet, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    validation = images.part("validation")
    normalisation = Normalisation.of(images.images)
    shown = normalisation.apply(images.images[:8])

    built: list[str] = []
    module = sys.modules["iadd.training.trainer"]
    original = module.build_network

    def record(*args: object, precision: str, **settings: object) -> object:
        built.append(precision)
        return original(*args, precision=precision, **settings)

    monkeypatch.setattr(module, "build_network", record)
    rounded = config.override({"precision": "bfloat16"})
    validate(shown, images.labels[:8], 0.05, validation, normalisation, rounded)
    assert built == ["bfloat16"]

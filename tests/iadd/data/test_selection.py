"""Choosing real images: at random, near the mean of their class, the most often forgotten."""

import itertools
from functools import partial

import pytest
import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.data.selection import TooFewImagesError, forgetting_images, herding_images, random_images
from iadd.runtime.progress import Progress
from iadd.training.recipe import full_set_recipe
from iadd.training.selection_scores import forgetting_events, trained_features
from iadd.training.trainer import NetworkSpec, train_networks


@pytest.fixture
def train(images: ImageSet) -> ImageSet:
    return images.part("train")


def test_herding_takes_what_brings_the_mean_nearest_step_by_step(train: ImageSet) -> None:
    features = torch.randn(len(train), 3, generator=torch.Generator().manual_seed(0))
    chosen = herding_images(train, 3, features=features)
    assert train.labels[chosen].tolist() == [0, 0, 0, 1, 1, 1]
    for label in (0, 1):
        members = (train.labels == label).nonzero().squeeze(1).tolist()
        centre = features[members].mean(dim=0)
        taken: list[int] = []
        for _ in range(3):
            distances = {
                index: float((features[[*taken, index]].mean(dim=0) - centre).norm())
                for index in members
                if index not in taken
            }
            taken.append(min(distances, key=lambda index: distances[index]))
        assert chosen[label * 3 : label * 3 + 3].tolist() == taken


def test_herding_comes_nearer_to_the_class_than_random_images_do(train: ImageSet) -> None:
    features = torch.randn(len(train), 8, generator=torch.Generator().manual_seed(1))

    def distance(chosen: Tensor) -> float:
        return sum(
            float(
                (
                    features[chosen[train.labels[chosen] == label]].mean(dim=0)
                    - features[train.labels == label].mean(dim=0)
                ).norm()
            )
            for label in (0, 1)
        )

    herded = distance(herding_images(train, 4, features=features))
    assert all(
        herded < distance(random_images(train, 4, seed=seed, rng_key="test")) for seed in range(20)
    )


def test_no_image_is_chosen_twice_and_a_whole_class_may_be(train: ImageSet) -> None:
    members = int((train.labels == 0).sum())
    for chosen in (
        herding_images(train, members, features=torch.zeros(len(train), 2)),
        forgetting_images(train, members, events=torch.zeros(len(train), dtype=torch.int64)),
    ):
        assert sorted(chosen.tolist()) == list(range(len(train)))


def test_the_most_forgotten_of_each_class_are_chosen_first(train: ImageSet) -> None:
    events = torch.zeros(len(train), dtype=torch.int64)
    events[[6, 2, 7]] = torch.tensor([5, 3, 9])
    chosen = forgetting_images(train, 2, events=events)
    assert chosen.tolist() == [6, 2, 7, 1]


def test_a_class_with_too_few_images_is_named(train: ImageSet) -> None:
    zeros = torch.zeros(len(train), 1)
    for select in (
        partial(random_images, seed=0, rng_key="test"),
        partial(herding_images, features=zeros),
        partial(forgetting_images, events=zeros[:, 0]),
    ):
        with pytest.raises(TooFewImagesError, match="'plain' has 16"):
            select(train, 17)


def test_an_event_is_a_right_answer_that_turned_wrong(
    train: ImageSet, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Twelve epochs at a rate that keeps the network restless.
    config = config.override({"full_epochs": 12, "teacher_lr": 0.5})
    predictions: list[dict[int, bool]] = []

    def listen(*args: object, **settings: object) -> object:
        notify = settings.pop("on_predictions")

        def record(number: int, indices: Tensor, correct: Tensor) -> None:
            if not predictions or len(predictions[-1]) == len(train):
                predictions.append({})
            predictions[-1].update(zip(indices.tolist(), correct.tolist(), strict=True))
            notify(number, indices, correct)  # type: ignore[operator]

        return train_networks(*args, **settings, on_predictions=record)  # type: ignore[arg-type]

    monkeypatch.setattr("iadd.training.selection_scores.train_networks", listen)
    events = forgetting_events(train, config)
    assert len(predictions) == 12
    for index, count in enumerate(events.tolist()):
        row = [epoch[index] for epoch in predictions]
        forgotten = sum(before and not after for before, after in itertools.pairwise(row))
        assert count == (forgotten if any(row) else 12)
    assert events.max() > 0


def test_what_is_mislabelled_is_forgotten_most(train: ImageSet, config: Config) -> None:
    config = config.override({"full_epochs": 8})
    labels = train.labels.clone()
    labels[0] = 1
    confused = ImageSet(train.images, labels, train.classes, train.split)
    events = forgetting_events(confused, config)
    assert events[0] == events.max()
    assert events[0] > events.double().mean()
    assert torch.equal(events, forgetting_events(confused, config))


def test_features_are_what_a_trained_network_tells_classes_apart_by(
    train: ImageSet, config: Config
) -> None:
    reports: list[Progress] = []
    config = config.override({"full_epochs": 6})
    features = trained_features(train, config, on_progress=reports.append)
    assert features.shape == (len(train), 4 * 4 * 4)
    assert (reports[-1].done, reports[-1].total) == (6, 6)
    centres = torch.stack([features[train.labels == label].mean(dim=0) for label in (0, 1)])
    nearest = torch.cdist(features, centres).argmin(dim=1)
    assert (nearest == train.labels).double().mean() > 0.9
    assert torch.equal(features, trained_features(train, config))


def test_choosing_can_be_stopped_while_the_network_trains(train: ImageSet, config: Config) -> None:
    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        forgetting_events(train, config, on_progress=stop)


def test_predictions_are_reported_whether_networks_are_trained_together_or_not(
    config: Config,
) -> None:
    recipe = full_set_recipe(config)
    reports: dict[int, set[tuple[int, int, bool]]] = {}
    for at_once in (1, 3):
        seen: set[tuple[int, int, bool]] = set()
        reports[at_once] = seen

        def record(
            number: int,
            indices: Tensor,
            correct: Tensor,
            seen: set[tuple[int, int, bool]] = seen,
        ) -> None:
            seen.update(
                (number, i, r) for i, r in zip(indices.tolist(), correct.tolist(), strict=True)
            )

        generator = torch.Generator().manual_seed(0)
        inputs = torch.randn(10, 1, 16, 16, generator=generator)
        train_networks(
            [NetworkSpec(inputs.__getitem__, torch.arange(10) % 2, ("p", n)) for n in range(3)],
            classes=2,
            channels=1,
            config=config,
            recipe=recipe,
            at_once=at_once,
            on_predictions=record,
        )
    assert reports[1] == reports[3]
    assert {number for number, _, _ in reports[1]} == {0, 1, 2}

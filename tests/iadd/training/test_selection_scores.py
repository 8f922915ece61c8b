"""Scores for selecting real images: forgetting events and features of a trained network."""

import itertools

import pytest
import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.runtime.progress import Progress
from iadd.training.selection_scores import forgetting_events, trained_features
from iadd.training.trainer import train_networks


@pytest.fixture
def train(images: ImageSet) -> ImageSet:
    return images.part("train")


def test_an_event_is_a_correct_prediction_that_turned_wrong(
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


def test_features_separate_the_classes(train: ImageSet, config: Config) -> None:
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

"""Choosing real images: at random, near the mean of their class, the most often forgotten."""

from functools import partial

import pytest
import torch
from torch import Tensor

from iadd.data.image_set import ImageSet
from iadd.data.selection import TooFewImagesError, forgetting_images, herding_images, random_images


@pytest.fixture
def train(images: ImageSet) -> ImageSet:
    return images.part("train")


def test_random_images_are_different_and_balanced(train: ImageSet) -> None:
    chosen = random_images(train, 5, seed=0, rng_key="a")
    assert len(set(chosen.tolist())) == 10
    assert train.labels[chosen].tolist() == [0] * 5 + [1] * 5
    assert not torch.equal(chosen, random_images(train, 5, seed=0, rng_key="b"))


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

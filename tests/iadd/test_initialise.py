from dataclasses import replace

import pytest
import torch

from iadd.config import Config
from iadd.imageset import ImageSet
from iadd.initialise import initialise
from iadd.normalisation import Normalisation
from iadd.selection import TooFewImagesError, random_images


@pytest.fixture
def train(images: ImageSet) -> ImageSet:
    return images.part("train")


def start(train: ImageSet, config: Config, **settings: object) -> tuple[torch.Tensor, torch.Tensor]:
    return initialise(train, Normalisation.of(train.images), config.override(settings))


def test_real_starts_are_different_training_images_of_their_class(
    train: ImageSet, config: Config
) -> None:
    images, labels = start(train, config, initialisation="real", images_per_class=3)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    normalised = Normalisation.of(train.images).apply(train.images)
    sources = [(normalised == image).flatten(1).all(dim=1).nonzero().item() for image in images]
    assert len(set(sources)) == 6
    assert train.labels[sources].tolist() == labels.tolist()


def test_k_mean_starts_are_means_of_different_images_and_no_patients_own(
    train: ImageSet, config: Config
) -> None:
    images, labels = start(train, config, initialisation="k_mean", images_per_class=2)
    normalised = Normalisation.of(train.images).apply(train.images)
    assert not any((normalised == image).flatten(1).all(dim=1).any() for image in images)
    # Averaging 16 independent images shrinks their spread about fourfold.
    assert images[labels == 0].std() < 0.5 * normalised[train.labels == 0].std()
    assert images[labels == 1].mean() > images[labels == 0].mean()


def test_when_k_is_the_class_the_start_is_the_class_mean(train: ImageSet, config: Config) -> None:
    (size,) = set(train.count_by_class().values())
    images, _ = start(train, config, images_per_class=1, k_mean_images=size)
    normalised = Normalisation.of(train.images).apply(train.images)
    torch.testing.assert_close(images[1], normalised[train.labels == 1].mean(dim=0))


def test_noise_reads_no_pixel(train: ImageSet, config: Config) -> None:
    images, _ = start(train, config, initialisation="noise")
    blank = replace(train, images=torch.zeros_like(train.images))
    assert torch.equal(images, start(blank, config, initialisation="noise")[0])


def test_the_start_follows_from_the_seed(train: ImageSet, config: Config) -> None:
    for kind in ("real", "k_mean", "noise"):
        first = start(train, config, initialisation=kind)[0]
        assert torch.equal(first, start(train, config, initialisation=kind)[0])
        assert not torch.equal(first, start(train, config, initialisation=kind, seed=1)[0])


@pytest.mark.parametrize("kind", ["real", "k_mean"])
def test_a_class_that_is_too_small_is_named(train: ImageSet, config: Config, kind: str) -> None:
    with pytest.raises(TooFewImagesError, match="'plain' has 16 training images, and 17 are"):
        start(train, config, initialisation=kind, images_per_class=17, k_mean_images=17)


def test_random_images_are_different_and_balanced(train: ImageSet) -> None:
    chosen = random_images(train, 5, seed=0, purpose="a")
    assert len(set(chosen.tolist())) == 10
    assert train.labels[chosen].tolist() == [0] * 5 + [1] * 5
    assert not torch.equal(chosen, random_images(train, 5, seed=0, purpose="b"))

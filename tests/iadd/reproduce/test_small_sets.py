"""The small sets that a distilled set has to beat."""

import pytest
import torch

from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.data.selection import TooFewImagesError
from iadd.presets import cpu_demo
from iadd.reproduce.small_sets import centre_images, start_images

CONFIG = cpu_demo().override({"image_size": 8, "depth": 2, "images_per_class": 2})


def two_heaps_a_class() -> ImageSet:
    """Each class has dark and light images, each with little noise."""
    generator = torch.Generator().manual_seed(0)
    levels = torch.tensor([20, 200, 60, 240]).repeat(20)
    noise = torch.randint(-5, 6, (80, 1, 8, 8), generator=generator)
    images = (levels.view(-1, 1, 1, 1) + noise).to(torch.uint8)
    labels = (torch.arange(80) % 4) // 2
    return ImageSet(images, labels, ("a", "b"), torch.zeros(80, dtype=torch.int8))


def test_the_centres_are_the_means_of_the_heaps_of_a_class() -> None:
    train = two_heaps_a_class()
    centres, labels = centre_images(train, CONFIG)
    levels = 255 * Normalisation.of(train.images).to_intensities(centres).mean(dim=(1, 2, 3))
    assert labels.tolist() == [0, 0, 1, 1]
    assert sorted(levels[:2].tolist()) == pytest.approx([20, 200], abs=1)
    assert sorted(levels[2:].tolist()) == pytest.approx([60, 240], abs=1)


def test_more_centres_than_images_are_refused_by_name() -> None:
    with pytest.raises(TooFewImagesError, match="Class a has 40 training images"):
        centre_images(two_heaps_a_class(), CONFIG.override({"images_per_class": 41}))


def test_the_start_has_the_grey_levels_that_are_released() -> None:
    train = two_heaps_a_class()
    images, labels = start_images(train, CONFIG.override({"initialisation": "noise"}))
    levels = 255 * Normalisation.of(train.images).to_intensities(images)
    assert torch.allclose(levels, levels.round().clamp(0, 255), atol=1e-3)
    assert labels.tolist() == [0, 0, 1, 1]

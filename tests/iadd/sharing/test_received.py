"""Received sets, converted to the size, intensities and classes of the local images."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from iadd.config import Config
from iadd.data.normalisation import Normalisation
from iadd.sharing.class_map import ClassMapError
from iadd.sharing.received import (
    Received,
    SetMismatchError,
    align_to_local,
    covered_classes,
    in_channels,
    in_size,
)
from tests.iadd.factories import make_distilled

HOME = Normalisation((0.4,), (0.2,))
SAME = {"plain": "plain", "square": "square"}


def test_the_grey_value_is_what_both_sides_share(config: Config) -> None:
    set_of_another = make_distilled(config)
    images, labels = align_to_local(
        Received(set_of_another, SAME), ("plain", "square"), image_size=16, normalisation=HOME
    )
    theirs = set_of_another.normalisation.to_intensities(set_of_another.images)
    torch.testing.assert_close(HOME.to_intensities(images), theirs)
    assert torch.equal(labels, set_of_another.labels)


def test_what_lies_beyond_black_and_white_stays_there(config: Config) -> None:
    made = make_distilled(config)
    bold = replace(made, images=made.images * 5)
    images, _ = align_to_local(
        Received(bold, SAME), ("plain", "square"), image_size=16, normalisation=HOME
    )
    assert HOME.to_intensities(images).max() > 1.5
    assert HOME.to_intensities(images).min() < -0.5


@pytest.mark.parametrize("size", [8, 32])
def test_a_set_of_another_size_is_brought_to_ours(config: Config, size: int) -> None:
    images, labels = align_to_local(
        Received(make_distilled(config, size=size), SAME),
        ("plain", "square"),
        image_size=16,
        normalisation=HOME,
    )
    assert images.shape == (4, 1, 16, 16)
    corner = HOME.to_intensities(images)[:, :, 2:6, 2:6].mean(dim=(1, 2, 3))
    assert corner[labels == 1].min() > corner[labels == 0].max(), "the square is where it was"


def test_resizing_is_that_of_reading_a_picture() -> None:
    picture = torch.randint(0, 256, (40, 40), generator=torch.Generator().manual_seed(0))
    pixels = picture.to(torch.uint8).numpy()
    expected = Image.fromarray(pixels).resize((16, 16), Image.Resampling.BICUBIC)
    found = in_size(picture[None, None].float(), 16)[0, 0].round().clamp(0, 255)
    assert (found - torch.from_numpy(np.asarray(expected).astype(np.float32))).abs().max() <= 1


def test_classes_get_our_names_and_order_and_others_are_left_out(config: Config) -> None:
    made = make_distilled(config, classes=("Healthy", "Ill"))
    images, labels = align_to_local(
        Received(made, {"Healthy": None, "Ill": "ill"}),
        ("well", "ill"),
        image_size=16,
        normalisation=HOME,
    )
    assert len(images) == 2
    assert labels.tolist() == [1, 1]


def test_grey_becomes_colour_and_colour_grey_as_pictures_do() -> None:
    grey = torch.rand(2, 1, 4, 4)
    assert torch.equal(in_channels(grey, 3)[:, 2:], grey)
    torch.testing.assert_close(in_channels(in_channels(grey, 3), 1), grey)
    red = torch.zeros(1, 3, 1, 1)
    red[:, 0] = 1
    assert in_channels(red, 1).item() == pytest.approx(0.299)


def test_other_numbers_of_channels_are_refused_with_advice() -> None:
    with pytest.raises(SetMismatchError, match="Ask the sender"):
        in_channels(torch.zeros(1, 4, 2, 2), 1)


def test_covered_are_our_classes_that_some_set_has(config: Config) -> None:
    one = Received(make_distilled(config, classes=("a", "b")), {"a": "third", "b": None})
    other = Received(make_distilled(config, classes=("c", "d")), {"c": None, "d": "first"})
    assert covered_classes([one, other], ("first", "second", "third")) == ("first", "third")
    with pytest.raises(ClassMapError, match="Only “third” is among what was received"):
        covered_classes([one], ("first", "second", "third"))


def test_a_class_without_images_is_covered_by_nothing(config: Config) -> None:
    made = make_distilled(config)
    hollow = replace(made, images=made.images[:2], labels=made.labels[:2])
    with pytest.raises(ClassMapError, match="Only “plain”"):
        covered_classes([Received(hollow, SAME)], ("plain", "square"))


def test_nothing_received_is_said() -> None:
    with pytest.raises(ValueError, match="at least one distilled set"):
        covered_classes([], ("a", "b"))


@pytest.mark.parametrize("size", [10, 24])
def test_sets_are_resized_as_torch_does_it(size: int) -> None:
    """As up to version 0.3, to the bit: torchvision calls the same."""
    intensities = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 1.4 - 0.2
    expected = torch.nn.functional.interpolate(
        intensities, (size, size), mode="bicubic", align_corners=False, antialias=True
    )
    assert torch.equal(in_size(intensities, size), expected)

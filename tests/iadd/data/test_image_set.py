"""A part of an image set by class; the audit unit of each image."""

import hashlib
from dataclasses import replace

import pytest
import torch

from iadd.data.image_set import ImageSet


def test_some_classes_are_kept_and_labelled_in_the_order_asked_for() -> None:
    images = ImageSet(
        torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1),
        torch.tensor([0, 1, 2, 0, 1, 2]),
        ("a", "b", "c"),
        torch.tensor([0, 0, 0, 1, 1, 2], dtype=torch.int8),
    )
    part = images.of_classes(["c", "a"])
    assert part.classes == ("c", "a")
    assert part.images.flatten().tolist() == [0, 2, 3, 5]
    assert part.labels.tolist() == [1, 0, 1, 0]
    assert part.split.tolist() == [0, 0, 1, 2]
    with pytest.raises(ValueError, match="not in"):
        images.of_classes(["d"])


def of_four() -> ImageSet:
    return ImageSet(
        torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1),
        torch.tensor([0, 1, 0, 1]),
        ("a", "b"),
        torch.tensor([0, 0, 1, 0], dtype=torch.int8),
    )


def test_a_set_without_units_is_written_to_the_same_bytes_by_every_version() -> None:
    data = of_four().to_bytes()
    assert (
        hashlib.sha256(data).hexdigest()
        == "29c4cfdfbc428927cead98923b63fb251f04379bfe15f2a7d7236f85342980d0"
    )
    read = ImageSet.from_bytes(data)
    assert (read.groups, read.unit) == (None, "image")


def test_units_are_kept_by_parts_and_by_bytes() -> None:
    images = replace(of_four(), groups=torch.tensor([7, 3, 7, 0]), unit="patient")
    read = ImageSet.from_bytes(images.to_bytes())
    for same in (images, read):
        train, of_b = same.part("train"), same.of_classes(["b"])
        assert train.groups is not None
        assert of_b.groups is not None
        assert train.groups.tolist() == [7, 3, 0]
        assert of_b.groups.tolist() == [3, 0]
        assert of_b.labels.tolist() == [0, 0]
        assert {train.unit, of_b.unit, same.unit} == {"patient"}

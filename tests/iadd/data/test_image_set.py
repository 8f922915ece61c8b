"""A part of an image set by class."""

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

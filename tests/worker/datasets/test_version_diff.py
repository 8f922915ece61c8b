"""Differences between two versions of a dataset."""

import torch

from iadd.data.image_set import ImageSet
from worker.datasets.version_diff import count_changes


def image_set(**images: list[int]) -> ImageSet:
    """Plain images of these grey values, by class."""
    pairs = [(value, label) for label, values in enumerate(images.values()) for value in values]
    values = torch.tensor([value for value, _ in pairs], dtype=torch.uint8)
    return ImageSet(
        images=values[:, None, None, None].expand(-1, 1, 4, 4).contiguous(),
        labels=torch.tensor([label for _, label in pairs]),
        classes=tuple(images),
        split=torch.zeros(len(pairs), dtype=torch.int8),
    )


def test_images_are_counted_as_kept_added_removed_and_relabelled() -> None:
    before = image_set(COVID=[1, 2, 3], Normal=[4, 5])
    now = image_set(COVID=[2, 3, 6, 7], Normal=[1, 4])

    changes = count_changes(before, now)

    assert changes == {
        "kept": 3,
        "added": 2,
        "removed": 1,
        "relabelled": 1,
        "classes": {
            "COVID": {"kept": 2, "added": 2, "removed": 0, "relabelled": 0},
            "Normal": {"kept": 1, "added": 0, "removed": 1, "relabelled": 1},
        },
    }


def test_a_class_of_only_one_version_is_counted_too() -> None:
    changes = count_changes(image_set(COVID=[1], Normal=[2]), image_set(Normal=[2], Opacity=[3]))

    assert changes is not None
    assert changes["classes"]["COVID"]["removed"] == 1
    assert changes["classes"]["Opacity"]["added"] == 1


def test_images_of_another_size_are_not_compared() -> None:
    small = image_set(COVID=[1])
    large = ImageSet(small.images.repeat(1, 1, 2, 2), small.labels, small.classes, small.split)
    assert count_changes(small, large) is None

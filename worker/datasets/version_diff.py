"""Difference of two versions of a dataset, counted by the pixels that networks see. Pure."""

import hashlib
from collections import Counter

from app.core.types import JsonObject
from iadd.data.image_set import ImageSet


def count_changes(before: ImageSet, now: ImageSet) -> JsonObject | None:
    """Count images kept, added, removed, and kept under another class; no image is named.

    Args:
        before: The version before.
        now: This version. Neither holds an image twice.

    Returns:
        The counts in all and by class, or None where the images cannot be compared because they
        were brought to different sizes.
    """
    if before.images.shape[1:] != now.images.shape[1:]:
        return None
    old, new = _classes_by_digest(before), _classes_by_digest(now)
    kept, relabelled = Counter[str](), Counter[str]()
    for digest in old.keys() & new.keys():
        (kept if old[digest] == new[digest] else relabelled)[new[digest]] += 1
    added = Counter(new[digest] for digest in new.keys() - old.keys())
    removed = Counter(old[digest] for digest in old.keys() - new.keys())
    counters = {"kept": kept, "added": added, "removed": removed, "relabelled": relabelled}
    return {
        **{name: counter.total() for name, counter in counters.items()},
        "classes": {
            each: {name: counter[each] for name, counter in counters.items()}
            for each in sorted({*before.classes, *now.classes})
        },
    }


def _classes_by_digest(image_set: ImageSet) -> dict[bytes, str]:
    return {
        hashlib.blake2b(image.numpy().tobytes(), digest_size=16).digest(): image_set.classes[label]
        for image, label in zip(image_set.images, image_set.labels.tolist(), strict=True)
    }

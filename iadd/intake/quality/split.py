"""Splits a dataset 8:2 into training and test images, and takes a tenth of training to validate.

Section 4.1 of the paper splits 8:2; the validation part is taken from the training part so that
the test part is read once. The split depends on the seed and on the pixels alone: the same
pictures in another archive, under other names, are split alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from iadd.intake.splits import SPLITS

TRAIN, VALIDATION, TEST = range(len(SPLITS))
TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1
"""Share of the training images."""


def split_class(digests: Sequence[bytes], seed: int, given: Sequence[int | None]) -> list[int]:
    """Split the images of one class.

    Args:
        digests: one per image, of its pixels.
        seed: another seed gives another split.
        given: the split that the archive states for each image; None where it states none.

    Returns:
        The index into `SPLITS` of each image. A split that the archive states is kept; a test or
        validation part that it leaves out is drawn from its training images.
    """
    splits = [TRAIN if stated is None else stated for stated in given]
    salt = seed.to_bytes(8, "little", signed=True)
    order = sorted(
        (index for index, split in enumerate(splits) if split == TRAIN),
        key=lambda index: hashlib.sha256(salt + digests[index]).digest(),
    )
    for split, share in ((TEST, TEST_SHARE), (VALIDATION, VALIDATION_SHARE)):
        if split not in splits and len(order) > 1:
            count = max(1, round(len(order) * share))
            for index in order[:count]:
                splits[index] = split
            order = order[count:]
    return splits

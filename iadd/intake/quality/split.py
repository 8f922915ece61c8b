"""Splits a dataset 8:2 into training and test images, and takes a tenth of training to validate.

Section 4.1 of the paper splits 8:2; the validation part is taken from the training part so that
the test part is read once. Images that belong together (one patient's, or near-duplicates) go to
one part, for a model is not tested on what it has learnt by heart. The split depends on the seed,
the groups and the pixels alone: the same pictures in another archive, under other names, are split
alike.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from iadd.intake.splits import SPLITS

TRAIN, VALIDATION, TEST = range(len(SPLITS))
TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1
"""Share of the training images."""


def split_class(digests: Sequence[bytes], seed: int, given: Sequence[int | None]) -> list[int]:
    """Split the images of one class, each by itself.

    Args:
        digests: one per image, of its pixels.
        seed: another seed gives another split.
        given: the split that the archive states for each image; None where it states none.

    Returns:
        The index into `SPLITS` of each image. A split that the archive states is kept; a test or
        validation part that it leaves out is drawn from its training images.
    """
    return split_images([0] * len(digests), None, digests, seed, given)


def split_images(
    labels: Sequence[int],
    groups: Sequence[Hashable] | None,
    digests: Sequence[bytes],
    seed: int,
    given: Sequence[int | None],
) -> list[int]:
    """Split a dataset class by class, without parting a group.

    Args:
        labels: the class of each image.
        groups: equal for images that must not be parted (`iadd.intake.quality.clusters`); a group
            may span classes. None when each image stands for itself.
        digests: one per image, of its pixels.
        seed: another seed gives another split.
        given: the split that the archive states for each image; None where it states none.

    Returns:
        The index into `SPLITS` of each image. A split that the archive states is kept, even where
        it parts a group. A test or validation part that it leaves out of a class is drawn from the
        training images of that class, in whole groups. A class of at least three groups gets all
        three parts, unless other classes' images in the same groups leave no choice.
    """
    return _Split(labels, groups or range(len(labels)), digests, seed, given).draw()


class _Members:
    """The images of each group, groups in the order of their first images.

    Two arrays of numbers: of 200,000 lists, nearly all of one image, a set takes ten times as much.
    """

    def __init__(self, groups: Sequence[Hashable]) -> None:
        known: dict[Hashable, int] = {}
        numbers = np.fromiter(
            (known.setdefault(group, len(known)) for group in groups), np.int64, len(groups)
        )
        self._images = array("q", np.argsort(numbers, kind="stable").tobytes())
        ends = np.cumsum(np.bincount(numbers, minlength=len(known)))
        self._ends = array("q", ends.astype(np.int64).tobytes())

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[Sequence[int]]:
        return (self[group] for group in range(len(self)))

    def __getitem__(self, group: int) -> Sequence[int]:
        return self._images[self._ends[group - 1] if group else 0 : self._ends[group]]


class _Split:
    """A split in the making."""

    def __init__(
        self,
        labels: Sequence[int],
        groups: Sequence[Hashable],
        digests: Sequence[bytes],
        seed: int,
        given: Sequence[int | None],
    ) -> None:
        self.labels = labels
        self.given = given
        self.members = _Members(groups)
        salt = seed.to_bytes(8, "little", signed=True)
        self.keys = [
            hashlib.sha256(salt + min(digests[image] for image in images)).digest()
            for images in self.members
        ]
        self.class_groups: defaultdict[int, list[int]] = defaultdict(list)
        for group in sorted(range(len(self.members)), key=self.keys.__getitem__):
            for label in {labels[image] for image in self.members[group]}:
                self.class_groups[label].append(group)
        self.stated: defaultdict[int, set[int | None]] = defaultdict(set)
        for label, split in zip(labels, given, strict=True):
            self.stated[label].add(split)
        self.splits = self._place_with_their_group()
        self.groups_left = Counter(
            label for group in range(len(self.members)) for label in self._in_training(group)
        )

    def draw(self) -> list[int]:
        """Fill the parts that the archive leaves out."""
        # Classes of few groups choose first: the larger ones have groups left over.
        order = sorted(
            self.class_groups,
            key=lambda label: (
                len(self.class_groups[label]),
                [self.keys[group] for group in self.class_groups[label][:1]],
            ),
        )
        for split, share in ((TEST, TEST_SHARE), (VALIDATION, VALIDATION_SHARE)):
            sizes = Counter(
                label for label, part in zip(self.labels, self.splits, strict=True) if part == TRAIN
            )
            for label in order:
                if split not in self.stated[label]:
                    self._fill(split, label, max(1, round(sizes[label] * share)))
        return self.splits

    def _place_with_their_group(self) -> list[int]:
        """Return the stated split of each image; where none is, that of the rest of its group."""
        splits = [TRAIN if stated is None else stated for stated in self.given]
        for images in self.members:
            stated = {self.given[image] for image in images} - {None}
            # A group that the archive parts has leaked already: more of it in training tests no
            # further image on what was learnt.
            if stated and TRAIN not in stated:
                for image in images:
                    if self.given[image] is None:
                        splits[image] = max(split for split in stated if split is not None)
        return splits

    def _fill(self, split: int, label: int, wanted: int) -> None:
        """Move about `wanted` images of a class from training to `split`, in whole groups."""
        parted = {
            group
            for group in self.class_groups[label]
            if any(self.splits[image] not in (TRAIN, split) for image in self.members[group])
        }
        taken = sum(
            self.splits[image] == split and self.labels[image] == label
            for group in self.class_groups[label]
            for image in self.members[group]
        )
        candidates = [group for group in self.class_groups[label] if self._size(group, label)]
        # What lies in another part too is moved only if nothing else is there.
        for usable in (
            [group for group in candidates if group not in parted],
            [group for group in candidates if group in parted],
        ):
            for group in usable:
                size = self._size(group, label)
                # Up to the size that is nearest to what is wanted.
                if size < 2 * (wanted - taken) and self._may_move(group, split):
                    self._move(group, split)
                    taken += size
            if not taken:
                for group in sorted(usable, key=lambda group: self._size(group, label)):
                    if self._may_move(group, split):
                        self._move(group, split)
                        return
            if taken:
                return

    def _in_training(self, group: int) -> set[int]:
        """Return the classes of the images of a group that are in training."""
        return {self.labels[image] for image in self.members[group] if self.splits[image] == TRAIN}

    def _size(self, group: int, label: int) -> int:
        """Count the images of a class in a group that are in training."""
        return sum(
            self.labels[image] == label and self.splits[image] == TRAIN
            for image in self.members[group]
        )

    def _may_move(self, group: int, split: int) -> bool:
        """Return whether each class of a group lacks `split`, and keeps what its parts need."""
        for label in self._in_training(group):
            if split in self.stated[label]:
                return False
            validation_to_come = split == TEST and VALIDATION not in self.stated[label]
            needed = 2 if validation_to_come and len(self.class_groups[label]) > 2 else 1
            if self.groups_left[label] - 1 < needed:
                return False
        return True

    def _move(self, group: int, split: int) -> None:
        self.groups_left.subtract(self._in_training(group))
        for image in self.members[group]:
            if self.splits[image] == TRAIN:
                self.splits[image] = split

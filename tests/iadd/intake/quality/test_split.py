import hashlib
import random
from collections import Counter

import pytest

from iadd.intake.quality.split import (
    TEST,
    TEST_SHARE,
    TRAIN,
    VALIDATION,
    VALIDATION_SHARE,
    split_class,
    split_images,
)


def digests(count: int) -> list[bytes]:
    return [
        hashlib.sha256(bytes([number % 256, number // 256])).digest() for number in range(count)
    ]


def split_of_version_0_2(digests, seed, given):
    """Split one class as the version before groups did: datasets that were read keep theirs."""
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


@pytest.mark.parametrize("stated", [(None,), (0,), (None, 0), (0, 2), (0, 1), (0, 1, 2), (1, 2)])
def test_without_groups_the_split_is_that_of_the_version_before(stated) -> None:
    draw = random.Random(0)
    for seed, count in enumerate([1, 2, 3, 4, 5, 9, 14, 37, 150]):
        for classes in (1, 3):
            labels = [draw.randrange(classes) for _ in range(count)]
            given = [draw.choice(stated) for _ in range(count)]
            expected = [0] * count
            for label in range(classes):
                of_class = [image for image in range(count) if labels[image] == label]
                part = split_of_version_0_2(
                    [digests(count)[i] for i in of_class], seed, [given[i] for i in of_class]
                )
                for image, split in zip(of_class, part, strict=True):
                    expected[image] = split
            assert split_images(labels, None, digests(count), seed, given) == expected
            assert split_class(digests(count), seed, given) == split_of_version_0_2(
                digests(count), seed, given
            )


def test_a_group_is_never_parted_and_each_class_has_all_parts_in_their_shares() -> None:
    draw = random.Random(1)
    labels, groups = [], []
    for patient in range(300):
        for _ in range(draw.randint(1, 6)):
            labels.append(patient % 3)
            groups.append(f"patient {patient}")
    splits = split_images(labels, groups, digests(len(labels)), 5, [None] * len(labels))
    parts = {group: set() for group in groups}
    for group, split in zip(groups, splits, strict=True):
        parts[group].add(split)
    assert all(len(part) == 1 for part in parts.values())
    for label in range(3):
        sizes = Counter(s for s, own in zip(splits, labels, strict=True) if own == label)
        total = sizes.total()
        assert sizes[TEST] == pytest.approx(total * 0.2, abs=3)
        assert sizes[VALIDATION] == pytest.approx(total * 0.08, abs=3)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (20, 1, 1), (5, 5, 5), (30, 20, 2, 9)])
def test_a_class_of_three_groups_has_all_three_parts(sizes) -> None:
    groups = [group for group, size in enumerate(sizes) for _ in range(size)]
    for seed in range(10):
        splits = split_images(
            [0] * len(groups), groups, digests(len(groups)), seed, [None] * len(groups)
        )
        assert set(splits) == {TRAIN, VALIDATION, TEST}
        assert max(Counter(splits).values()) == Counter(splits)[TRAIN] or sizes == (1, 1, 1)


def test_a_class_of_one_group_is_for_training_and_of_two_also_for_testing() -> None:
    assert split_images([0] * 9, [7] * 9, digests(9), 0, [None] * 9) == [TRAIN] * 9
    splits = split_images([0] * 9, [7] * 6 + [8] * 3, digests(9), 0, [None] * 9)
    assert splits == [TRAIN] * 6 + [TEST] * 3


def test_a_patient_with_pictures_of_two_classes_is_not_parted() -> None:
    labels = [0, 1] * 12
    groups = [image // 2 for image in range(24)]
    splits = split_images(labels, groups, digests(24), 0, [None] * 24)
    assert splits[::2] == splits[1::2]
    assert Counter(splits) == {TRAIN: 18, TEST: 4, VALIDATION: 2}


def test_the_split_does_not_depend_on_the_order_of_the_pictures_or_the_names_of_groups() -> None:
    count = 90
    labels = [image % 2 for image in range(count)]
    groups = [image // 3 for image in range(count)]
    splits = split_images(labels, groups, digests(count), 3, [None] * count)
    order = random.Random(2).sample(range(count), count)
    shuffled = split_images(
        [labels[i] for i in order],
        [f"group {-groups[i]}" for i in order],
        [digests(count)[i] for i in order],
        3,
        [None] * count,
    )
    assert shuffled == [splits[i] for i in order]
    assert splits != split_images(labels, groups, digests(count), 4, [None] * count)


def test_a_given_split_is_kept_though_it_parts_groups() -> None:
    given = [TRAIN, TRAIN, VALIDATION, TEST] * 5
    groups = [image // 4 for image in range(20)]
    assert split_images([0] * 20, groups, digests(20), 0, given) == given


def test_a_missing_part_is_taken_from_training_in_groups_that_are_nowhere_else() -> None:
    # Patients 0 to 4 are in training and test already; 5 to 9 only in training, 3 pictures each.
    groups = [*range(5), *range(5), *(patient for patient in range(5, 10) for _ in range(3))]
    given = [TRAIN] * 5 + [TEST] * 5 + [TRAIN] * 15
    splits = split_images([0] * 25, groups, digests(25), 0, given)
    assert splits[:10] == given[:10]
    validation = [group for group, split in zip(groups, splits, strict=True) if split == VALIDATION]
    assert len(validation) == 3
    assert len(set(validation)) == 1


def test_a_missing_part_is_filled_though_all_patients_are_in_two_splits() -> None:
    groups = [patient for patient in range(5) for _ in range(3)]
    given = [TRAIN, TRAIN, TEST] * 5
    splits = split_images([0] * 15, groups, digests(15), 0, given)
    assert [s for s, stated in zip(splits, given, strict=True) if stated == TEST] == [TEST] * 5
    assert Counter(splits) == {TRAIN: 8, VALIDATION: 2, TEST: 5}


def test_a_picture_without_a_stated_split_follows_its_group() -> None:
    given = [TEST, None, TRAIN, TRAIN, VALIDATION, None, TRAIN, TRAIN]
    groups = ["a", "a", "b", "c", "d", "d", "e", "f"]
    splits = split_images([0] * 8, groups, digests(8), 0, given)
    assert splits == [TEST, TEST, TRAIN, TRAIN, VALIDATION, VALIDATION, TRAIN, TRAIN]

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from iadd.cohort import CLASSES, draw_image
from iadd.intake.quality import duplicates
from iadd.intake.quality.clusters import group_images
from iadd.intake.quality.duplicates import exact_duplicates, near_duplicates

Pictures = npt.NDArray[np.uint8]


def cohort(count: int, size: int = 96) -> Pictures:
    return np.stack(
        [draw_image(CLASSES[i % len(CLASSES)], i, image_size=size) for i in range(count)]
    )


def saved_again(picture: Pictures) -> Pictures:
    """Halve a picture, save it as a poor JPEG, change its greys, and enlarge it again."""
    size = len(picture)
    file = io.BytesIO()
    Image.fromarray(picture).resize((size // 2, size // 2)).save(file, "JPEG", quality=70)
    windowed = np.asarray(Image.open(file).resize((size, size))).astype(float) * 0.8 + 20
    return windowed.astype(np.uint8)


def digests(pictures: Pictures) -> list[bytes]:
    return [picture.tobytes() for picture in pictures]


def test_a_picture_saved_again_is_a_near_duplicate_and_other_patients_are_not() -> None:
    pictures = cohort(40)
    again = np.stack([saved_again(picture) for picture in pictures[:5]])
    found = near_duplicates(np.concatenate([pictures, again]))
    assert [(pair.first, pair.second) for pair in found] == [(i, 40 + i) for i in range(5)]
    assert all(0.99 <= pair.correlation <= 1 for pair in found)


def test_pictures_with_equal_digests_are_exact_and_no_near_duplicates() -> None:
    pictures = cohort(6)[[0, 1, 2, 0, 1, 0]]
    assert exact_duplicates(digests(pictures)) == [(0, 3, 5), (1, 4)]
    assert near_duplicates(pictures, digests(pictures)) == []


def test_blank_pictures_are_no_duplicates_of_each_other() -> None:
    blank = np.full((9, 64, 64), 7, np.uint8)
    blank[:, 3, 3] = np.arange(9)
    assert near_duplicates(blank) == []


def test_every_picture_of_many_copies_is_in_one_cluster(monkeypatch) -> None:
    monkeypatch.setattr(duplicates, "MOST_PAIRS", 50)
    picture = cohort(1, 48)[0].astype(int)
    noise = np.random.default_rng(0).integers(-2, 3, (300, 48, 48))
    copies = np.clip(picture + noise, 0, 255).astype(np.uint8)
    found = near_duplicates(np.concatenate([copies, cohort(3, 48)[1:]]), None)
    groups = group_images(302, [pair[:2] for pair in found])
    assert groups == [0] * 300 + [300, 301]
    assert len(found) < 50 + 300


def test_a_set_on_disk_gives_the_same_and_blocks_are_reported(tmp_path) -> None:
    pictures = cohort(70)
    pictures[69] = saved_again(pictures[2])
    np.save(tmp_path / "set.npy", pictures)
    done: list[int] = []
    found = near_duplicates(np.load(tmp_path / "set.npy", mmap_mode="r"), on_block=done.append)
    assert found == near_duplicates(pictures)
    assert [pair[:2] for pair in found] == [(2, 69)]
    assert done == [64, 70]


def test_a_set_of_no_picture_or_one_has_no_duplicates() -> None:
    assert near_duplicates(cohort(1)) == []
    assert near_duplicates(np.zeros((0, 64, 64), np.uint8)) == []


def test_patients_and_near_duplicates_join_into_one_group() -> None:
    # 0 and 1 are alike; 1 and 2 are one patient's; 4 stands alone, as 3 does.
    patients = ["a", "b", "b", None, None]
    assert group_images(5, [(0, 1)], patients) == [0, 0, 0, 3, 4]
    assert group_images(5, [(0, 1)]) == [0, 0, 2, 3, 4]


def test_bits_are_counted_up_to_those_of_an_inversion() -> None:
    hashes = np.random.default_rng(1).integers(0, 2**64, (4, 70), dtype=np.uint64)
    others = np.concatenate([hashes, ~hashes[:, :1]], axis=1)
    bits = np.unpackbits(hashes.T.copy().view(np.uint8), axis=1)
    expected = (bits[:, None] != bits[None]).sum(axis=2)
    counted = duplicates._bits_apart(hashes, others)
    np.testing.assert_array_equal(counted[:, :70], expected)
    # All 256 bits differ: no number of eight bits holds that, and it must not come out as 0.
    assert counted[0, 70] == 255

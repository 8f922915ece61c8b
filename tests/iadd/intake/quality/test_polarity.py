import numpy as np
import pytest

from iadd.cohort import CLASSES, draw_image
from iadd.intake.quality.polarity import inverted


def cohort(count: int, first: int = 0) -> np.ndarray:
    return np.stack(
        [
            draw_image(CLASSES[i % len(CLASSES)], i, image_size=64, seed=3)
            for i in range(first, first + count)
        ]
    )


@pytest.mark.parametrize("count", [1, 3, 18, 60])
@pytest.mark.parametrize("share", [0, 0.34, 0.5, 0.9, 1])
def test_the_inverted_pictures_are_found_whatever_their_share(count: int, share: float) -> None:
    pictures = cohort(count)
    turned = np.random.default_rng(count).permutation(count)[: round(count * share)]
    pictures[turned] = 255 - pictures[turned]
    assert inverted(pictures) == sorted(turned.tolist())


def test_an_inverted_picture_is_found_at_any_exposure() -> None:
    pictures = cohort(12)
    pictures[4] = 255 - pictures[4] // 2
    pictures[7] = 40 + pictures[7] // 3
    assert inverted(pictures) == [4]


def test_a_picture_in_a_black_frame_is_not_taken_for_inverted() -> None:
    pictures = cohort(20)
    framed = np.zeros((64, 64), np.uint8)
    framed[20:44, 18:46] = 150 + pictures[0][::2, ::2][4:28, 2:30] // 3
    pictures[0] = framed
    assert inverted(pictures) == []


def test_pictures_without_anything_in_common_are_not_judged() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (30, 16, 16), dtype=np.uint8)
    assert inverted(noise.repeat(4, axis=1).repeat(4, axis=2)) == []
    assert inverted(np.zeros((5, 64, 64), np.uint8)) == []
    assert inverted(np.zeros((0, 64, 64), np.uint8)) == []


def test_the_majority_decides_about_pictures_of_something_else() -> None:
    hands = np.zeros((9, 64, 64), np.uint8)
    hands[:, 8:30, 40:60] = 200
    hands += np.random.default_rng(0).integers(0, 30, hands.shape, dtype=np.uint8)
    hands[[2, 5]] = 255 - hands[[2, 5]]
    assert inverted(hands) == [2, 5]

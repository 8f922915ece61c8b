import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from iadd.cohort import CLASSES, draw_image
from iadd.intake.quality.looks import blank, judge_greys, low_contrast, mask_like, outliers

SIZE = 96


def cohort(count: int) -> np.ndarray:
    return np.stack(
        [draw_image(CLASSES[i % len(CLASSES)], i, image_size=SIZE, seed=5) for i in range(count)]
    )


def mask(shade: int = 255) -> np.ndarray:
    """Draw two lungs, as a segmentation does, shrunk and saved as JPEG."""
    picture = Image.new("L", (4 * SIZE, 4 * SIZE))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((50, 60, 170, 330), fill=shade)
    draw.ellipse((210, 60, 330, 330), fill=shade)
    file = io.BytesIO()
    picture.resize((SIZE, SIZE)).save(file, "JPEG", quality=90)
    return np.asarray(Image.open(file))


def test_x_rays_look_as_they_should() -> None:
    pictures = cohort(40)
    assert judge_greys(pictures) == ([], [], [])
    assert outliers(pictures) == []


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_nearly_one_grey_is_blank(grey: int) -> None:
    pictures = cohort(4)
    pictures[1] = grey
    pictures[2] = np.clip(np.random.default_rng(0).normal(grey, 0.7, (SIZE, SIZE)), 0, 255)
    pictures[3] = grey
    pictures[3, 5, :20] = 255 - grey // 2  # a corner of a marker
    assert blank(pictures) == [1, 2, 3]
    assert low_contrast(pictures) == mask_like(pictures) == []


def test_few_grey_levels_are_low_contrast() -> None:
    pictures = cohort(4)
    pictures[1] = 100 + pictures[1] // 12
    pictures[3] = pictures[3] // 2
    assert low_contrast(pictures) == [1]
    assert blank(pictures) == []


@pytest.mark.parametrize("shade", [255, 90])
def test_two_greys_are_a_mask(shade: int) -> None:
    pictures = np.stack([*cohort(3), mask(shade), 255 - mask(shade)])
    assert mask_like(pictures) == [3, 4]


def test_a_small_mask_that_was_enlarged_is_a_mask() -> None:
    small = Image.fromarray(mask()).resize((48, 48), Image.Resampling.NEAREST)
    large = np.asarray(small.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    assert mask_like(np.stack([*cohort(3), large])) == [3]


def test_a_saturated_x_ray_is_no_mask() -> None:
    burnt = np.clip(cohort(6).astype(int) * 2 - 100, 0, 255).astype(np.uint8)
    assert mask_like(burnt) == []


def test_what_resembles_no_other_picture_is_an_outlier() -> None:
    pictures = cohort(30)
    pictures[3] = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE))
    pictures[8] = np.rot90(pictures[8])
    pictures[20] = 255 * (np.indices((SIZE, SIZE)).sum(axis=0) // 12 % 2)
    assert outliers(pictures) == [3, 8, 20]


def test_an_inverted_x_ray_is_no_outlier() -> None:
    pictures = cohort(30)
    pictures[3] = 255 - pictures[3]
    assert outliers(pictures) == []


def test_small_sets_and_sets_of_anything_have_no_outliers() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, SIZE, SIZE), dtype=np.uint8)
    assert outliers(noise) == []
    assert outliers(noise[:3]) == []

"""Grey levels come to 8 bits by groups, never by one pixel, one marker or one picture."""

import numpy as np
import pytest

from iadd.intake.pictures.grey import GreyScale
from iadd.intake.pictures.levels import depth_for, high_of
from tests.iadd.intake.pictures.drawing import chest, encoded, read

SIDE = 96


def scaled(pixels: list[np.ndarray], folders: list[str] | None = None) -> list[np.ndarray]:
    """Read 16-bit pictures as one set and bring them to 8 bits."""
    scale = GreyScale()
    pictures = [read(encoded(image, "PNG"), size=SIDE) for image in pixels]
    folders = folders or ["COVID"] * len(pixels)
    for picture, folder in zip(pictures, folders, strict=True):
        scale.add(picture.group, folder, picture.high, picture.depth)
    return [
        scale.to_eight_bits(picture.pixels, scale.depth_of(picture.group, folder))
        for picture, folder in zip(pictures, folders, strict=True)
    ]


def chests(bits: int, count: int = 6) -> list[np.ndarray]:
    return [chest(bits, number=number, side=SIDE) for number in range(count)]


def means(images: list[np.ndarray]) -> np.ndarray:
    return np.array([image.mean() for image in images])


@pytest.mark.parametrize("bits", range(9, 17))
def test_every_depth_uses_the_full_range(bits):
    images = scaled(chests(bits))
    assert max(image.max() for image in images) > 220
    assert np.abs(means(images) - means(chests(8))).max() < 3


@pytest.mark.parametrize("share", [0.002, 0.01, 0.02, 0.04])
@pytest.mark.parametrize("level", [65535, 16383, 32768])
def test_a_saturated_marker_leaves_the_depth(share, level):
    expected = means(scaled(chests(12)))
    marked = chests(12)
    for image in marked:
        side = round(SIDE * np.sqrt(share))
        image[3 : 3 + side, 3 : 3 + side] = level
    found = scaled(marked)
    assert np.abs(means(found) / expected - 1).max() < 0.1


def test_a_marker_with_soft_edges_leaves_the_depth():
    marked = chests(12)
    for image in marked:
        image[3:13, 3:13] = 65535
        image[3:13, 2], image[3:13, 13] = 20_000, 45_000
    found, expected = scaled(marked), scaled(chests(12))
    assert np.abs(means(found) / means(expected) - 1).max() < 0.1


@pytest.mark.parametrize("level", [4096, 8191, 65535])
def test_hot_pixels_leave_the_depth(level):
    hot = chests(12)
    for image in hot:
        image[5, 7] = image[50, 60] = level
    assert np.abs(means(scaled(hot)) / means(scaled(chests(12))) - 1).max() < 0.02


def test_pictures_of_one_detector_are_scaled_alike():
    pixels = []
    for number, image in enumerate(chests(12)):
        highest = 1020 if number % 2 else 1030
        pixels.append((image / image.max() * highest).astype(np.uint16))
    found = scaled(pixels, ["A", "B"] * 3)
    assert int(found[0].max()) == pytest.approx(int(found[1].max()), abs=8)


def test_classes_of_one_detector_are_scaled_alike():
    below, above = 0.46, 0.55  # of 12 bits: the highest levels lie below and above 11 bits
    dark = [(image * below).astype(np.uint16) for image in chests(12)]
    bright = [(image * above).astype(np.uint16) for image in chests(12)]
    found = scaled(dark + bright, ["COVID"] * 6 + ["Normal"] * 6)
    assert means(found[:6]) / means(found[6:]) == pytest.approx(below / above, rel=0.02)


def test_folders_of_two_detectors_have_depths_of_their_own():
    found = scaled(chests(10) + chests(16), ["hospital A"] * 6 + ["hospital B"] * 6)
    assert means(found[:6]) == pytest.approx(means(found[6:]), abs=3)


def test_folders_of_single_pictures_are_scaled_as_one():
    pixels = chests(12)
    pixels[0] = pixels[0] // 4
    folders = [f"COVID/patient {number}" for number in range(6)]
    assert means(scaled(pixels, folders)) == pytest.approx(means(scaled(pixels)))


def test_one_odd_picture_of_many_does_not_darken_the_others():
    scale = GreyScale()
    for _ in range(5000):
        scale.add("PNG grey 16", "a", 4000, None)
    scale.add("PNG grey 16", "a", 65_000, None)
    assert scale.depth_of("PNG grey 16", "a") == 12


def test_a_known_depth_is_kept():
    scale = GreyScale()
    scale.add("PNG grey 8", "a", 40, 8)
    assert scale.depth_of("PNG grey 8", "a") == 8
    with pytest.raises(KeyError):
        scale.depth_of("PNG grey 16", "a")


@pytest.mark.parametrize("depth", range(8, 17))
def test_the_table_maps_ends_to_ends_and_clips(depth):
    full = (1 << depth) - 1
    ends = np.array([0, full, 65535], np.uint16)
    assert GreyScale.to_eight_bits(ends, depth).tolist() == [0, 255, 255]
    assert GreyScale.to_eight_bits(np.array([full // 2], np.uint16), depth)[0] in (127, 128)


def test_bright_bone_is_no_marker():
    rng = np.random.default_rng(0)
    levels = np.concatenate([rng.integers(0, 1500, 90_000), rng.integers(1500, 4000, 3_000)])
    assert high_of(np.bincount(levels, minlength=1 << 16)) > 3500


@pytest.mark.parametrize(
    ("high", "depth"), [(0, 8), (255, 8), (1030, 10), (1100, 11), (4095, 12), (65535, 16)]
)
def test_the_least_depth_that_holds_the_levels_is_taken(high, depth):
    assert depth_for(high) == depth

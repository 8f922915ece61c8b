"""Stored DICOM values become grey levels by the standard's formulas."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from iadd.intake.pictures.dicom_levels import levels_table
from iadd.intake.pictures.reading import read_picture
from tests.fixtures.dicom import window_of, write_dicom
from tests.iadd.intake.pictures.drawing import KEY, SIDE, chest

COUNTS = np.ones(1 << 16, np.int64)


def counts_to(highest: int) -> np.ndarray:
    """Count one pixel of each level up to `highest`."""
    return np.where(np.arange(1 << 16) <= highest, 1, 0)


def header(**elements) -> Dataset:
    dataset = Dataset()
    dataset.BitsStored = 12
    dataset.PixelRepresentation = 0
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def lookup(data: list[int], *, first: int = 0, bits: int = 8) -> list[Dataset]:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(data), first, bits])
    item.add_new("LUTData", "US", data)
    return [item]


def shown(**elements) -> np.ndarray:
    picture = read_picture(write_dicom(chest(12), **elements), image_size=SIDE, patient_key=KEY)
    return picture.pixels.astype(float)


def test_a_linear_window_follows_the_standard():
    table = levels_table(header(WindowCenter=2048, WindowWidth=4096), COUNTS)
    assert table[0] == 0
    assert table[4095] == 65535
    assert table[2047] == round(((2047 - 2047.5) / 4095 + 0.5) * 65535)


def test_an_exact_window_follows_the_standard():
    table = levels_table(
        header(WindowCenter=2048, WindowWidth=4096, VOILUTFunction="LINEAR_EXACT"), COUNTS
    )
    assert table[1024] == round(65535 / 4)


def test_a_sigmoid_window_follows_the_standard():
    table = levels_table(
        header(WindowCenter=2048, WindowWidth=1024, VOILUTFunction="SIGMOID"), COUNTS
    )
    assert table[2048] == round(65535 / 2)
    assert table[2304] == pytest.approx(65535 / (1 + np.exp(-1)), abs=1)


def test_the_first_of_several_windows_is_used():
    one = levels_table(header(WindowCenter=1000, WindowWidth=400), COUNTS)
    two = levels_table(header(WindowCenter=[1000, 3000], WindowWidth=[400, 10]), COUNTS)
    assert np.array_equal(one, two)


@pytest.mark.parametrize("width", [0, -5])
def test_a_window_of_no_width_gives_way_to_percentiles(width):
    without = levels_table(header(), COUNTS)
    assert np.array_equal(
        levels_table(header(WindowCenter=100, WindowWidth=width), COUNTS), without
    )


def test_a_window_beside_the_pixels_gives_way_to_percentiles():
    assert shown(WindowCenter=90_000, WindowWidth=10).std() > 5000


def test_percentiles_leave_out_padding_and_padding_is_black():
    counts = np.zeros(1 << 16, np.int64)
    counts[1000:2000] = 1
    counts[4095] = 100_000
    table = levels_table(header(PixelPaddingValue=4095), counts)
    assert table[1500] == pytest.approx(65535 / 2, abs=200)
    assert table[4095] == 0


def test_a_range_of_padding_is_black_whatever_the_polarity():
    dataset = header(
        PixelPaddingValue=0, PixelPaddingRangeLimit=3, PhotometricInterpretation="MONOCHROME1"
    )
    table = levels_table(dataset, COUNTS)
    assert table[:4].tolist() == [0, 0, 0, 0]
    assert table[4] == 65535


def test_negative_padding_of_signed_pixels_is_found():
    dataset = header(PixelRepresentation=1, BitsStored=16, PixelPaddingValue=-2000)
    counts = np.zeros(1 << 16, np.int64)
    counts[[63536, 100, 200, 300]] = [10_000, 50, 50, 50]
    table = levels_table(dataset, counts)
    assert table[63536] == 0
    assert table[300] == 65535


@pytest.mark.parametrize(
    ("photometric", "shape", "turned"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", True),
    ],
)
def test_polarity_is_turned_once_or_not_at_all(photometric, shape, turned):
    elements = {"PresentationLUTShape": shape} if shape else {}
    picture = shown(PhotometricInterpretation=photometric, **elements, **window_of(12))
    correlation = np.corrcoef(picture.ravel(), chest(12).ravel())[0, 1]
    assert correlation == pytest.approx(-1 if turned else 1, abs=0.01)


def test_slope_and_intercept_come_before_the_window():
    table = levels_table(
        header(RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=0.5, WindowWidth=2001),
        counts_to(1000),
    )
    assert table[0] == 0
    assert table[500] == pytest.approx(65535 / 2, abs=1)
    assert table[1000] == 65535


def test_a_modality_table_comes_before_the_window():
    table = levels_table(
        header(
            ModalityLUTSequence=lookup([0, 50, 100, 255], first=10),
            WindowCenter=128, WindowWidth=256,
        ),
        counts_to(20),
    )  # fmt: skip
    assert table[[0, 10, 11, 12, 13, 500]].tolist() == [
        round(65535 * level / 255) for level in (0, 0, 50, 100, 255, 255)
    ]


def test_a_voi_table_goes_before_a_window():
    table = levels_table(
        header(
            VOILUTSequence=lookup([0, 100, 4095], first=1, bits=12),
            WindowCenter=1, WindowWidth=2,
        ),
        COUNTS,
    )  # fmt: skip
    assert table[[0, 1, 2, 3, 9]].tolist() == [0, 0, round(65535 * 100 / 4095), 65535, 65535]


def test_a_voi_table_that_states_too_many_bits_uses_the_full_range():
    table = levels_table(header(VOILUTSequence=lookup([0, 2000, 4095], bits=16)), COUNTS)
    assert table[2] == 65535


def test_bits_of_an_overlay_are_masked():
    dataset = header(WindowCenter=2048, WindowWidth=4096)
    dataset.add_new(0x60000102, "US", 15)
    table = levels_table(dataset, COUNTS)
    assert table[100 | 1 << 15] == table[100]


def test_signed_words_of_fewer_bits_are_extended():
    dataset = header(PixelRepresentation=1, WindowCenter=0, WindowWidth=4096)
    table = levels_table(dataset, COUNTS)
    assert table[0x800] == 0
    assert table[0xF800] == 0
    assert table[0x7FF] == 65535

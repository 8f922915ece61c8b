"""MedMNIST arrays are read one picture at a time, without pickle."""

import io
import tracemalloc

import numpy as np
import pytest

from iadd.intake.errors import DatasetError, FileError
from iadd.intake.pictures.npz import count_npz, is_npz, picture_of, read_npz
from tests.iadd.intake.pictures.drawing import chest


def npz(*, compressed: bool = True, **arrays) -> io.BytesIO:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    file.seek(0)
    return file


def medmnist(side: int = 28, colours: bool = False, **changed) -> io.BytesIO:
    images = np.stack([chest(number=number, side=side) for number in range(6)])
    if colours:
        images = np.stack([images] * 3, axis=-1)
    arrays = {
        "train_images": images,
        "train_labels": np.array([[0], [1], [0], [1], [2], [0]]),
        "val_images": images[:2],
        "val_labels": np.array([[1], [0]], np.uint8),
        "test_images": images[2:5],
        "test_labels": np.array([[0], [0], [1]]),
    }
    return npz(**{**arrays, **changed})


@pytest.mark.parametrize("side", [28, 64, 224])
@pytest.mark.parametrize("colours", [False, True])
def test_pictures_come_with_split_label_and_number(side, colours):
    source = medmnist(side, colours)
    found = list(read_npz(source))
    assert [picture.name for picture in found[:3]] == [
        "train/0/000000",
        "train/1/000001",
        "train/0/000002",
    ]
    assert [picture.name for picture in found[6:]] == [
        "val/1/000000", "val/0/000001", "test/0/000000", "test/0/000001", "test/1/000002",
    ]  # fmt: skip
    expected = chest(number=1, side=side)
    assert np.array_equal(found[1].pixels[..., 0] if colours else found[1].pixels, expected)
    assert count_npz(source) == 11
    assert is_npz(source)


def test_a_picture_is_made_grey_and_resized():
    pixels = chest(side=32)
    grey = picture_of(pixels, image_size=32)
    assert np.array_equal(grey.pixels, pixels)
    assert (grey.depth, grey.width, grey.format) == (8, 32, "NumPy")
    colour = picture_of(np.dstack([pixels] * 3), image_size=32)
    assert np.array_equal(colour.pixels, pixels)
    with pytest.raises(FileError) as refusal:
        picture_of(np.zeros((28, 28), np.uint8), image_size=32)
    assert refusal.value.code == "blank"


def test_memory_does_not_grow_with_the_file():
    images = np.zeros((4000, 64, 64), np.uint8)
    source = npz(train_images=images, train_labels=np.zeros((4000, 1), np.int64))
    del images
    tracemalloc.start()
    total = sum(picture.pixels.size for picture in read_npz(source))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 4000 * 64 * 64
    assert peak < 4 << 20


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"train_labels": np.zeros((6, 14))}, "npz_labels"),
        ({"train_labels": np.zeros((5, 1), int)}, "npz_labels"),
        ({"train_labels": np.zeros((6, 1), float)}, "npz_contents"),
        ({"train_images": np.zeros((6, 28, 28, 28), np.uint8)}, "npz_contents"),
        ({"train_images": np.zeros((6, 28, 28), np.float32)}, "npz_contents"),
        ({"train_images": np.array([{"a": 1}] * 6, object)}, "npz_contents"),
        ({"train_images": np.zeros((6, 5000, 28), np.uint8)}, "npz_contents"),
    ],
    ids=["several labels", "too few", "fractions", "volumes", "floats", "objects", "large"],
)
def test_other_arrays_are_refused_by_name(changed, code):
    with pytest.raises(DatasetError) as error:
        list(read_npz(medmnist(**changed)))
    assert error.value.code == code


def test_arrays_of_other_names_and_damaged_files_are_refused():
    for source, code in (
        (npz(images=np.zeros(3)), "npz_contents"),
        (io.BytesIO(medmnist().getvalue()[:-200]), "npz_damaged"),
        (io.BytesIO(b"no zip"), "npz_damaged"),
    ):
        assert not is_npz(source)
        with pytest.raises(DatasetError) as error:
            list(read_npz(source))
        assert error.value.code == code
    damaged = bytearray(medmnist(64).getvalue())
    damaged[200:2000] = bytes(1800)
    with pytest.raises(DatasetError) as error:
        list(read_npz(io.BytesIO(bytes(damaged))))
    assert error.value.code == "npz_damaged"

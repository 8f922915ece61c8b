"""Reads the pictures of a MedMNIST ``.npz`` one by one, without pickle.

Such a file is a zip of arrays: ``train_images`` (N, H, W) or (N, H, W, 3) of uint8 and
``train_labels`` (N, 1), and the same for ``val`` and ``test``.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from iadd.intake.errors import DatasetError, FileError
from iadd.intake.pictures.grey_image import GreyImage, rows_of_array
from iadd.intake.pictures.picture import SHORTEST_SIDE, Picture
from iadd.intake.pictures.reading import judged

_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError)
SPLITS = ("train", "val", "test")
_MOST_SIDE = 1024
_MOST_PICTURES = 1_000_000
_MOST_LABELS_BYTES = 8 * _MOST_PICTURES


@dataclass(frozen=True)
class NpzPicture:
    """One picture of an ``.npz``.

    Attributes:
        name: a virtual name, ``<split>/<label>/<number>``: ``train/0/000123``.
        pixels: uint8 (H, W) or (H, W, 3).
    """

    name: str
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Array:
    file: IO[bytes]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def is_npz(source: Path | BinaryIO) -> bool:
    """Whether a file is a zip of arrays with images and labels, as MedMNIST writes them."""
    try:
        with zipfile.ZipFile(source) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False
    return any({f"{split}_images.npy", f"{split}_labels.npy"} <= names for split in SPLITS)


def count_npz(source: Path | BinaryIO) -> int:
    """Return how many pictures an ``.npz`` holds.

    Raises:
        DatasetError: as `read_npz`.
    """
    with _opened(source) as archive:
        total = 0
        for split in _splits(archive):
            with _array(archive, f"{split}_images") as images:
                total += images.shape[0]
        return total


def read_npz(source: Path | BinaryIO) -> Iterator[NpzPicture]:
    """Give the pictures of an ``.npz``, one in memory at a time.

    Raises:
        DatasetError: ``npz_damaged``, ``npz_contents`` (other arrays than MedMNIST's) or
            ``npz_labels`` (several labels per picture, or another number of them).
    """
    with _opened(source) as archive:
        for split in _splits(archive):
            labels = _labels(archive, split)
            with _array(archive, f"{split}_images") as images:
                _check_images(images, len(labels))
                shape = images.shape[1:]
                for number, label in enumerate(labels):
                    pixels = np.frombuffer(_exactly(images.file, math.prod(shape)), np.uint8)
                    yield NpzPicture(f"{split}/{label}/{number:06}", pixels.reshape(shape))


def picture_of(pixels: npt.NDArray[np.uint8], *, image_size: int) -> Picture:
    """Turn the pixels of an array into a `Picture`, in this process: nothing is decoded.

    Args:
        pixels: uint8 (H, W) or (H, W, 3).
        image_size: S.

    Raises:
        FileError: ``blank`` or ``too_small``.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < SHORTEST_SIDE:
        raise FileError("too_small", f"Its shorter side has fewer than {SHORTEST_SIDE} pixels.")
    colours = "grey" if pixels.ndim == 2 else "colour"
    rows = rows_of_array(pixels.astype(np.uint16))
    image = GreyImage(
        width=width, height=height, format="NumPy", kind=f"{colours} 8", rows=rows, depth=8
    )
    return judged(image, image_size)


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(source) as archive:
            yield archive
    except DatasetError:
        raise
    except _DAMAGE as error:
        raise DatasetError(
            "npz_damaged",
            "The NumPy file is damaged",
            "The .npz file is damaged or cut short; download it again.",
        ) from error


def _splits(archive: zipfile.ZipFile) -> list[str]:
    names = set(archive.namelist())
    splits = [split for split in SPLITS if {f"{split}_images.npy", f"{split}_labels.npy"} <= names]
    if not splits:
        raise _contents("it holds no train_images with train_labels, as MedMNIST writes them")
    return splits


@contextmanager
def _array(archive: zipfile.ZipFile, name: str) -> Iterator[_Array]:
    with archive.open(f"{name}.npy") as file:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if fortran and len(shape) > 1 and math.prod(shape[1:]) > 1:
            raise _contents("its arrays are stored column by column; save them in C order")
        if dtype.hasobject:
            raise _contents("its arrays hold Python objects, which are never loaded")
        yield _Array(file, shape, dtype)


def _labels(archive: zipfile.ZipFile, split: str) -> list[int]:
    with _array(archive, f"{split}_labels") as labels:
        if math.prod(labels.shape[1:]) != 1 or not labels.shape:
            raise DatasetError(
                "npz_labels",
                "Several labels per picture",
                "The .npz file gives several labels per picture; save it with one label each.",
            )
        size = labels.shape[0] * labels.dtype.itemsize
        if labels.dtype.kind not in "iub" or size > _MOST_LABELS_BYTES:
            raise _contents("its labels are not whole numbers")
        values = np.frombuffer(_exactly(labels.file, size), labels.dtype)
        return [int(value) for value in values]


def _check_images(images: _Array, labels: int) -> None:
    shape = images.shape
    grey_or_colour = len(shape) == 3 or (len(shape) == 4 and shape[-1] == 3)
    if images.dtype != np.uint8 or not grey_or_colour or not all(shape[1:]):
        raise _contents("its images are not flat grey or colour pictures of 8 bits")
    if max(shape[1:3]) > _MOST_SIDE or shape[0] > _MOST_PICTURES:
        raise _contents(f"its images are larger than {_MOST_SIDE} pixels")
    if shape[0] != labels:
        raise DatasetError(
            "npz_labels",
            "Images and labels differ in number",
            "The .npz file holds another number of labels than of images; save it again.",
        )


def _contents(why: str) -> DatasetError:
    return DatasetError("npz_contents", "No MedMNIST file", f"The .npz file cannot be read: {why}.")


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise EOFError("the array is cut short")
    return data

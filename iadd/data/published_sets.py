"""Reads CIFAR-10, CIFAR-100 and Tiny ImageNet from the files as published (paper, section 4.2).

The archives, or the folders unpacked from them: ``cifar-10-binary.tar.gz``,
``cifar-100-binary.tar.gz`` and ``tiny-imagenet-200.zip``. The Python version of CIFAR is a pickle,
which runs what it holds when it is read, and is refused.

Shapes: N images of three channels, S × S pixels.
"""

from __future__ import annotations

import hashlib
import io
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from iadd.data.image_set import ImageSet
from iadd.intake.containers.archive import Entry
from iadd.intake.containers.limits import MEBIBYTE, Limits
from iadd.intake.containers.open import open_archive
from iadd.intake.errors import DatasetError, FileError, printable
from iadd.intake.quality.split import TEST, TRAIN, split_images

# Larger than an archive of X-rays needs: the training images of CIFAR-100 are one file of 147 MiB.
_LIMITS = Limits(entry_bytes=256 * MEBIBYTE)
_CHANNELS = 3
_TITLE = "This is not a published set of images that can be read"


@dataclass(frozen=True)
class PublishedSet:
    """A published set of images.

    Attributes:
        name: ``CIFAR-10``, ``CIFAR-100`` or ``Tiny ImageNet``.
        images: uint8 (N, 3, S, S). The published test images are ``test`` (of Tiny ImageNet the
            validation images: its test images have no labels); ``validation`` is a tenth of the
            published training images.
    """

    name: str
    images: ImageSet


def read_published_set(source: Path, *, seed: int = 0) -> PublishedSet:
    """Read a published set, whichever of the three it is.

    Args:
        source: The archive as published, or the folder unpacked from it.
        seed: Of the split of the training images into training and validation.

    Raises:
        DatasetError: ``not_a_published_set`` or ``damaged_published_set``, or when the archive
            itself cannot be read.
        OSError: When `source` does not exist.
    """
    readers = (_Cifar10(), _Cifar100(), _TinyImageNet())
    pickled = False
    with open_archive(Path(source), _LIMITS) as archive:
        for entry in archive.entries:
            parts = tuple(entry.name.split("/"))
            pickled = pickled or parts[-1] == "data_batch_1" or parts[-2:-1] == (_PICKLED_100,)
            for reader in readers:
                if reader.wants(parts):
                    reader.add(parts, _read(entry))
    found = [reader for reader in readers if reader.is_complete]
    if len(found) != 1:
        raise _unknown(pickled)
    return found[0].finish(seed)


def _read(entry: Entry) -> bytes:
    try:
        return entry.read()
    except FileError as error:
        raise DatasetError(
            "damaged_published_set",
            "A file of the set cannot be read",
            f"{printable(entry.name)} cannot be read. {error.reason}",
        ) from error


class _Reader(ABC):
    """Collects what one published set consists of, file by file, in any order."""

    name: str
    image_size: int

    def __init__(self) -> None:
        self._pixels = bytearray()
        """Images one after the other, each its red, its green and its blue plane."""

    @abstractmethod
    def wants(self, parts: Sequence[str]) -> bool:
        """Return whether a file belongs to the set; ``parts`` are its folders and its name."""

    @abstractmethod
    def add(self, parts: Sequence[str], data: bytes) -> None:
        """Take the content of a file."""

    @property
    @abstractmethod
    def is_complete(self) -> bool:
        """Whether all that the set needs was there."""

    @abstractmethod
    def finish(self, seed: int) -> PublishedSet:
        """Make the set of what was collected."""

    def _of_parts(
        self,
        pixels: np.ndarray,
        labels: np.ndarray,
        is_test: np.ndarray,
        classes: tuple[str, ...],
        seed: int,
    ) -> PublishedSet:
        """Cut the validation images from the training images, and make the set.

        Args:
            pixels: uint8 (N, 3·S·S).
            labels: (N,).
            is_test: bool (N,).
            classes: Names, in the order of the labels.
            seed: Of the split.
        """
        if not (is_test.any() and (~is_test).any()):
            raise self._damaged("It has no training images, or no test images.")
        digests = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in pixels]
        given = [TEST if test else TRAIN for test in is_test]
        split = split_images(labels.tolist(), None, digests, seed, given)
        shape = (-1, _CHANNELS, self.image_size, self.image_size)
        images = ImageSet(
            torch.from_numpy(pixels).view(shape),
            torch.from_numpy(labels.astype(np.int64)),
            classes,
            torch.tensor(split, dtype=torch.int8),
        )
        return PublishedSet(self.name, images)

    def _damaged(self, what: str) -> DatasetError:
        return DatasetError(
            "damaged_published_set",
            f"The files of {self.name} are damaged",
            f"{what} Compare the archive's checksum with the published one, and download it again.",
        )


class _Cifar(_Reader):
    """Both binary versions (Krizhevsky 2009): records of label bytes and 3,072 bytes of pixels."""

    image_size = 32
    train_files: tuple[str, ...]
    test_file: str
    names_file: str
    label_bytes: int
    """Bytes in front of the pixels; the last one is the label."""

    def __init__(self) -> None:
        super().__init__()
        self._files: dict[str, bytes] = {}

    def wants(self, parts: Sequence[str]) -> bool:
        return parts[-1] in (*self.train_files, self.test_file, self.names_file)

    def add(self, parts: Sequence[str], data: bytes) -> None:
        self._files[parts[-1]] = data

    @property
    def is_complete(self) -> bool:
        # A batch may be left out, to begin with fewer images; without names nothing has a label.
        trains = any(name in self._files for name in self.train_files)
        return trains and self.test_file in self._files and self.names_file in self._files

    def finish(self, seed: int) -> PublishedSet:
        text = self._files[self.names_file].decode("utf-8", errors="replace")
        classes = tuple(name for line in text.splitlines() if (name := line.strip()))
        parts = [
            self._records(name)
            for name in (*self.train_files, self.test_file)
            if name in self._files
        ]
        records = np.concatenate(parts)
        labels = records[:, self.label_bytes - 1]
        if int(labels.max(initial=0)) >= len(classes):
            raise self._damaged(f"A label is not one of the {len(classes)} in {self.names_file}.")
        is_test = np.arange(len(records)) >= len(records) - len(parts[-1])
        pixels = np.ascontiguousarray(records[:, self.label_bytes :])
        return self._of_parts(pixels, labels, is_test, classes, seed)

    def _records(self, name: str) -> np.ndarray:
        size = self.label_bytes + _CHANNELS * self.image_size**2
        data = self._files[name]
        if len(data) % size:
            raise self._damaged(f"{name} is not a whole number of records of {size} bytes.")
        return np.frombuffer(data, dtype=np.uint8).reshape(-1, size)


class _Cifar10(_Cifar):
    name = "CIFAR-10"
    train_files = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
    test_file = "test_batch.bin"
    names_file = "batches.meta.txt"
    label_bytes = 1


class _Cifar100(_Cifar):
    """Its records have a coarse label too, which is not read."""

    name = "CIFAR-100"
    train_files = ("train.bin",)
    test_file = "test.bin"
    names_file = "fine_label_names.txt"
    label_bytes = 2


_PICKLED_100 = "cifar-100-python"


class _TinyImageNet(_Reader):
    """200 classes of ImageNet at 64×64, JPEG (Le and Yang 2015)."""

    name = "Tiny ImageNet"
    image_size = 64

    def __init__(self) -> None:
        super().__init__()
        self._files: list[tuple[str, str]] = []
        """Class of each picture, empty where ``val_annotations.txt`` says it, and its name."""
        self._annotations = ""
        self._words = ""

    def wants(self, parts: Sequence[str]) -> bool:
        match parts[-4:]:
            case [*_, "words.txt"] | [*_, "val", "val_annotations.txt"]:
                return True
            case ["train", _, "images", name] | [*_, "val", "images", name]:
                return name.upper().endswith((".JPEG", ".JPG"))
        return False

    def add(self, parts: Sequence[str], data: bytes) -> None:
        match parts[-4:]:
            case [*_, "words.txt"]:
                self._words = data.decode("utf-8", errors="replace")
            case [*_, "val_annotations.txt"]:
                self._annotations = data.decode("utf-8", errors="replace")
            case ["train", wnid, "images", name]:
                self._pixels += self._decode(name, data)
                self._files.append((wnid, name))
            case _:
                self._pixels += self._decode(parts[-1], data)
                self._files.append(("", parts[-1]))

    def _decode(self, name: str, data: bytes) -> bytes:
        try:
            picture = Image.open(io.BytesIO(data), formats=("JPEG",))
            width, height = picture.size
            # Before a pixel is decoded: a header may claim gigabytes.
            fits = width == height == self.image_size
            # Some are grey, and count as colour with three equal channels.
            pixels = np.asarray(picture.convert("RGB")) if fits else None
        except Exception as error:
            # Decoders of damaged files fail with OSError, SyntaxError, struct.error, …
            raise self._damaged(f"{printable(name)} is not a JPEG that can be decoded.") from error
        if pixels is None:
            raise self._damaged(f"{printable(name)} has {width}×{height} pixels, not 64×64.")
        return pixels.transpose(2, 0, 1).tobytes()

    @property
    def is_complete(self) -> bool:
        return bool(self._annotations) and any(wnid for wnid, _ in self._files)

    def finish(self, seed: int) -> PublishedSet:
        annotated = dict(
            line.split("\t")[:2] for line in self._annotations.splitlines() if "\t" in line
        )
        wnids = sorted({wnid for wnid, _ in self._files if wnid})
        numbers = {wnid: number for number, wnid in enumerate(wnids)}
        try:
            found = np.array(
                [numbers[wnid or annotated[name]] for wnid, name in self._files], dtype=np.int64
            )
        except KeyError as error:
            raise self._damaged(
                f"val_annotations.txt names no class of train/ for {printable(str(error.args[0]))}."
            ) from error
        is_test = np.array([not wnid for wnid, _ in self._files])
        # An archive and the folder unpacked from it list files in different orders.
        order = np.array(
            sorted(range(len(found)), key=lambda n: (bool(is_test[n]), found[n], self._files[n][1]))
        )
        size = _CHANNELS * self.image_size**2
        pixels = np.frombuffer(self._pixels, dtype=np.uint8).reshape(-1, size)[order]
        return self._of_parts(pixels, found[order], is_test[order], self._classes(wnids), seed)

    def _classes(self, wnids: Sequence[str]) -> tuple[str, ...]:
        """Return the number of each class in WordNet and its first word: ``n01443537 goldfish``."""
        words = dict(line.split("\t")[:2] for line in self._words.splitlines() if "\t" in line)
        return tuple(f"{wnid} {words.get(wnid, '').split(',')[0]}".strip() for wnid in wnids)


def _unknown(pickled: bool) -> DatasetError:
    if pickled:
        message = (
            "This is the Python version of CIFAR, a pickle, which could run anything when it is "
            "read: take the binary version (cifar-10-binary.tar.gz, cifar-100-binary.tar.gz) from "
            "the same page."
        )
    else:
        message = (
            "Name one of cifar-10-binary.tar.gz, cifar-100-binary.tar.gz and tiny-imagenet-200.zip "
            "as published, or the folder unpacked from it. Nothing was read."
        )
    return DatasetError("not_a_published_set", _TITLE, message)

"""Reads labelled images from a folder or an archive into a checked, split image set.

Legend: N images, S their side, both after everything unusable was left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from iadd.data.image_set import SPLITS, ImageSet
from iadd.intake.containers.limits import DEFAULT_LIMITS, Limits
from iadd.intake.containers.open import open_archive
from iadd.intake.decode_archive import DecodedArchive, decode_archive
from iadd.intake.errors import DatasetError, RejectedFile
from iadd.intake.layout.folder_layout import Placement, place
from iadd.intake.quality.split import split_class
from iadd.runtime.progress import ProgressListener, ignore_progress

__all__ = [
    "SPLITS",
    "DatasetError",
    "ImageSet",
    "Reading",
    "RejectedFile",
    "load_images",
    "read_images",
]

FEWEST_IMAGES = 3
"""Per class: one to train with, one to choose by, one to test with."""


@dataclass(frozen=True)
class Reading:
    """The result of reading one archive.

    Attributes:
        image_set: the images that can be used, grouped by class.
        rejected: every file that was left out for a defect, in the order of the names.
        ignored: number of files that are not candidates, by kind: masks, documents, …
    """

    image_set: ImageSet
    rejected: tuple[RejectedFile, ...]
    ignored: dict[str, int]


def load_images(source: Path | str, image_size: int = 112) -> ImageSet:
    """Load the images of a folder, an archive, or a saved image set (``.safetensors``).

    Raises:
        DatasetError: as `read_images`.
        ValueError: when a saved image set is damaged or of another size.
    """
    source = Path(source)
    if source.suffix != ".safetensors":
        return read_images(source, image_size=image_size).image_set
    image_set = ImageSet.load(source)
    if image_set.images.shape[-1] != image_size:
        found = image_set.images.shape[-1]
        raise ValueError(f"the saved images are {found} pixels wide, {image_size} were requested")
    return image_set


def read_images(
    source: Path,
    *,
    image_size: int = 112,
    seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    on_progress: ProgressListener = ignore_progress,
) -> Reading:
    """Read, check, deduplicate and split the images of a folder or an archive.

    Memory holds the images at their final size, and at most some hundred megabytes more. The order
    of the images depends on their pixels alone, so the same pictures packed in another way give
    the same set.

    Args:
        source: a folder, or a zip, tar or tar.gz file, with one folder per class.
        image_size: the side S that every picture is resized to.
        seed: of the split into training, validation and test images.
        limits: bounds on the cost of the archive.
        on_progress: called at every fiftieth entry; phase ``reading``.

    Raises:
        DatasetError: when the archive cannot be read (`iadd.intake.containers.archive` names the
            codes), or nothing of use is in it: ``no_images``, ``encrypted``, ``no_classes``,
            ``one_class``, ``too_few_images``, ``too_many_classes``, ``class_name``,
            ``class_names_alike``.
        OSError: when `source` does not exist.
    """
    with open_archive(source, limits) as archive:
        decoded = decode_archive(archive, image_size=image_size, on_progress=on_progress)
    try:
        image_set = _build_image_set(decoded, seed)
    except DatasetError as error:
        error.rejected = _by_name(decoded.rejected)
        raise
    return Reading(image_set, _by_name(decoded.rejected), dict(sorted(decoded.ignored.items())))


def _by_name(rejected: list[RejectedFile]) -> tuple[RejectedFile, ...]:
    return tuple(sorted(rejected, key=lambda file: (file.name, file.code)))


def _build_image_set(decoded: DecodedArchive, seed: int) -> ImageSet:
    if not decoded.parts:
        raise _no_images(decoded)
    placements = place(decoded.parts)
    members = _members_by_class(decoded, placements)
    _check_classes(members, decoded.rejected)
    classes = tuple(sorted(members))
    order: list[int] = []
    labels: list[int] = []
    splits: list[int] = []
    for label, name in enumerate(classes):
        images = sorted(members[name], key=lambda image: decoded.digests[image])
        digests = [decoded.digests[image] for image in images]
        class_splits = split_class(digests, seed, [placements[image].split for image in images])
        _check_splits(name, class_splits)
        order += images
        labels += [label] * len(images)
        splits += class_splits
    size = decoded.image_size
    pixels = np.frombuffer(decoded.pixels, dtype=np.uint8).reshape(-1, 1, size, size)
    return ImageSet(
        images=torch.from_numpy(pixels[order]),
        labels=torch.tensor(labels, dtype=torch.int64),
        classes=classes,
        split=torch.tensor(splits, dtype=torch.int8),
    )


def _members_by_class(
    decoded: DecodedArchive, placements: list[Placement]
) -> defaultdict[str, list[int]]:
    """Group the pictures by class; reject those in no class, duplicates and contradictions."""
    same_pixels: defaultdict[bytes, list[int]] = defaultdict(list)
    for image, digest in enumerate(decoded.digests):
        if placements[image].class_name is None:
            _reject(decoded, image, "no_class", "It lies in no class folder; move it into one.")
        else:
            same_pixels[digest].append(image)
    members: defaultdict[str, list[int]] = defaultdict(list)
    for images in same_pixels.values():
        names = {placements[image].class_name for image in images}
        if len(names) > 1:
            for image in images:
                _reject(
                    decoded,
                    image,
                    "conflicting_label",
                    "The same picture lies in several class folders; keep it in the right one.",
                )
            continue
        first, *others = sorted(images, key=lambda image: decoded.parts[image])
        members[placements[first].class_name or ""].append(first)
        for image in others:
            _reject(decoded, image, "duplicate", "It shows the same pixels as another picture.")
    return members


def _reject(decoded: DecodedArchive, image: int, code: str, reason: str) -> None:
    decoded.reject("/".join(decoded.parts[image]), code, reason)


def _no_images(decoded: DecodedArchive) -> DatasetError:
    codes = Counter(file.code for file in decoded.rejected)
    if set(codes) == {"encrypted"}:
        return DatasetError(
            "encrypted",
            "The archive is protected by a password",
            "No file in it can be read. Pack the archive without a password and upload it again; "
            "the way to the portal is protected by itself.",
        )
    seen = (
        f"Of {len(decoded.rejected):,} files none could be read"
        if codes
        else "No file in it could be an image"
    )
    reasons = dict.fromkeys(file.reason for file in decoded.rejected)
    most_common = f" ({next(iter(reasons)).rstrip('.')})" if len(reasons) == 1 else ""
    return DatasetError(
        "no_images",
        "The archive holds no image",
        f"{seen}{most_common}. Put PNG, JPEG, TIFF or BMP images into one folder per class, and "
        "upload the archive again.",
    )


def _check_classes(members: dict[str, list[int]], rejected: Sequence[RejectedFile]) -> None:
    if not members and any(file.code == "conflicting_label" for file in rejected):
        raise DatasetError(
            "conflicting_labels",
            "Every image contradicts another",
            "The same pictures lie in several class folders, so none of them teaches a class. "
            "Leave each picture in its one class, and upload the archive again.",
        )
    if not members:
        raise DatasetError(
            "no_classes",
            "No image lies in a class folder",
            "The classes are read from the folders. Put the images into one folder per class, "
            "and upload the archive again.",
        )
    if len(members) == 1:
        raise DatasetError(
            "one_class",
            "The archive holds one class only",
            f"All images lie in “{next(iter(members))}”. A classifier needs two classes at least: "
            "put the images into one folder per class, and upload the archive again.",
        )
    for name, images in sorted(members.items()):
        if len(images) < FEWEST_IMAGES:
            raise DatasetError(
                "too_few_images",
                "A class has too few images",
                f"“{name}” has {len(images)} that can be used; {FEWEST_IMAGES} are the least, to "
                "train, to choose and to test with. Add images or leave the class out, and upload "
                "the archive again.",
            )


def _check_splits(name: str, splits: list[int]) -> None:
    missing = [split for index, split in enumerate(SPLITS) if index not in splits]
    if missing:
        raise DatasetError(
            "too_few_images",
            "A class has too few images",
            f"“{name}” has no image left for: {', '.join(missing)}. Add images to that folder, or "
            "leave out the folders train and test to have the images split for you.",
        )

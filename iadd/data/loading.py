"""Reading labelled images from a folder or an archive, and the set that comes of it.

Legend: N images, S their side, both after everything unusable was left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from iadd.data.archive import DEFAULT_LIMITS, Limits, open_archive
from iadd.data.decode_archive import Gathered, gather
from iadd.data.errors import DatasetError, Refusal
from iadd.data.folder_layout import Placement, place
from iadd.data.image_set import SPLITS, ImageSet
from iadd.data.split import split_class
from iadd.runtime.progress import ProgressListener, ignore_progress

__all__ = [
    "SPLITS",
    "DatasetError",
    "ImageSet",
    "Reading",
    "Refusal",
    "load_images",
    "read_images",
]

FEWEST_IMAGES = 3
"""Per class: one to train with, one to choose by, one to test with."""


@dataclass(frozen=True)
class Reading:
    """What came out of one archive.

    Attributes:
        image_set: the images that can be used, grouped by class.
        refusals: every file that was left out for a defect, in the order of the names.
        ignored: how many files were no candidates, by what they are: masks, documents, …
    """

    image_set: ImageSet
    refusals: tuple[Refusal, ...]
    ignored: dict[str, int]


def load_images(source: Path | str, image_size: int = 112) -> ImageSet:
    """The images of a folder, an archive, or a saved image set (``.safetensors``).

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
        raise ValueError(f"the saved images are {found} pixels wide, {image_size} were asked for")
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

    At any time the memory holds the images at their final size, and at most some hundred megabytes
    beside. The order of the images depends on their pixels alone, so the same pictures packed
    otherwise give the same set.

    Args:
        source: a folder, or a zip, tar or tar.gz file, with one folder per class.
        image_size: the side S that every picture is resized to.
        seed: of the split into training, validation and test images.
        limits: what the archive may cost.
        on_progress: told about every fiftieth entry; phase ``reading``.

    Raises:
        DatasetError: when the archive cannot be read (`iadd.data.archive.open_archive` names the
            codes), or nothing of use is in it: ``no_images``, ``encrypted``, ``no_classes``,
            ``one_class``, ``too_few_images``, ``too_many_classes``, ``class_name``,
            ``class_names_alike``.
        OSError: when `source` is not there.
    """
    with open_archive(source, limits) as archive:
        gathered = gather(archive, image_size=image_size, on_progress=on_progress)
    try:
        image_set = _sort_out(gathered, seed)
    except DatasetError as error:
        error.refusals = _by_name(gathered.refusals)
        raise
    return Reading(image_set, _by_name(gathered.refusals), dict(sorted(gathered.ignored.items())))


def _by_name(refusals: list[Refusal]) -> tuple[Refusal, ...]:
    return tuple(sorted(refusals, key=lambda refusal: (refusal.name, refusal.code)))


def _sort_out(gathered: Gathered, seed: int) -> ImageSet:
    if not gathered.parts:
        raise _no_images(gathered)
    placements = place(gathered.parts)
    members = _members_by_class(gathered, placements)
    _check_classes(members, gathered.refusals)
    classes = tuple(sorted(members))
    order: list[int] = []
    labels: list[int] = []
    splits: list[int] = []
    for label, name in enumerate(classes):
        images = sorted(members[name], key=lambda image: gathered.digests[image])
        digests = [gathered.digests[image] for image in images]
        class_splits = split_class(digests, seed, [placements[image].split for image in images])
        _check_splits(name, class_splits)
        order += images
        labels += [label] * len(images)
        splits += class_splits
    size = gathered.image_size
    pixels = np.frombuffer(gathered.pixels, dtype=np.uint8).reshape(-1, 1, size, size)
    return ImageSet(
        images=torch.from_numpy(pixels[order]),
        labels=torch.tensor(labels, dtype=torch.int64),
        classes=classes,
        split=torch.tensor(splits, dtype=torch.int8),
    )


def _members_by_class(
    gathered: Gathered, placements: list[Placement]
) -> defaultdict[str, list[int]]:
    """The pictures of each class, without those that lie in none, come twice, or contradict."""
    same_pixels: defaultdict[bytes, list[int]] = defaultdict(list)
    for image, digest in enumerate(gathered.digests):
        if placements[image].class_name is None:
            _refuse(gathered, image, "no_class", "It lies in no class folder; move it into one.")
        else:
            same_pixels[digest].append(image)
    members: defaultdict[str, list[int]] = defaultdict(list)
    for images in same_pixels.values():
        names = {placements[image].class_name for image in images}
        if len(names) > 1:
            for image in images:
                _refuse(
                    gathered,
                    image,
                    "conflicting_label",
                    "The same picture lies in several class folders; keep it in the right one.",
                )
            continue
        first, *others = sorted(images, key=lambda image: gathered.parts[image])
        members[placements[first].class_name or ""].append(first)
        for image in others:
            _refuse(gathered, image, "duplicate", "It shows the same pixels as another picture.")
    return members


def _refuse(gathered: Gathered, image: int, code: str, reason: str) -> None:
    gathered.refuse("/".join(gathered.parts[image]), code, reason)


def _no_images(gathered: Gathered) -> DatasetError:
    codes = Counter(refusal.code for refusal in gathered.refusals)
    if set(codes) == {"encrypted"}:
        return DatasetError(
            "encrypted",
            "The archive is protected by a password",
            "No file in it can be read. Pack the archive without a password and upload it again; "
            "the way to the portal is protected by itself.",
        )
    seen = (
        f"Of {len(gathered.refusals):,} files none could be read"
        if codes
        else "No file in it could be an image"
    )
    reasons = dict.fromkeys(refusal.reason for refusal in gathered.refusals)
    most_common = f" ({next(iter(reasons)).rstrip('.')})" if len(reasons) == 1 else ""
    return DatasetError(
        "no_images",
        "The archive holds no image",
        f"{seen}{most_common}. Put PNG, JPEG, TIFF or BMP images into one folder per class, and "
        "upload the archive again.",
    )


def _check_classes(members: dict[str, list[int]], refusals: Sequence[Refusal]) -> None:
    if not members and any(refusal.code == "conflicting_label" for refusal in refusals):
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

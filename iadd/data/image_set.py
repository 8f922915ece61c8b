"""A labelled, split set of chest X-rays, the form in which everything behind the intake reads it.

Shapes: N images, C channels (1: grey), H and W pixels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from iadd.intake.splits import SPLITS
from iadd.runtime.seal import UNSEALED, DamagedError, expect_intact, sealed

# One metadata key: safetensors writes several in an order that changes from run to run.
_METADATA_KEY = "image_set"

Unit = Literal["image", "patient"]
"""What an audit protects."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size with their class and their split.

    Attributes:
        images: uint8 (N, C, H, W), grey values as stored in the files.
        labels: int64 (N,), index into `classes`.
        classes: the class names, in the order of the labels.
        split: int8 (N,), index into `SPLITS`.
        groups: int64 (N,), the audit unit of each image, a number from 0 that tells nothing more:
            its patient where patients are known, else its cluster of near-duplicates. None where
            neither is known: each image is a unit of its own.
        unit: ``patient`` where `groups` are patients, else ``image``.

    Raises:
        ValueError: when shapes, types or indices do not fit together.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    split: Tensor
    groups: Tensor | None = None
    unit: Unit = "image"

    def __post_init__(self) -> None:
        count = len(self.images)
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError("images must be uint8 of shape (N, C, H, W)")
        if self.labels.dtype != torch.int64 or self.labels.shape != (count,):
            raise ValueError(f"labels must be int64 of shape ({count},)")
        if self.split.dtype != torch.int8 or self.split.shape != (count,):
            raise ValueError(f"split must be int8 of shape ({count},)")
        for name, values, end in (
            ("labels", self.labels, len(self.classes)),
            ("split", self.split, len(SPLITS)),
        ):
            if count and not (int(values.min()) >= 0 and int(values.max()) < end):
                raise ValueError(f"{name} must lie in 0..{end - 1}")
        if self.unit not in get_args(Unit) or (self.unit == "patient" and self.groups is None):
            raise ValueError("unit must be image, or patient where groups are given")
        if self.groups is None:
            return
        if self.groups.dtype != torch.int64 or self.groups.shape != (count,):
            raise ValueError(f"groups must be int64 of shape ({count},)")
        if count and int(self.groups.min()) < 0:
            raise ValueError("groups must not be negative")

    def __len__(self) -> int:
        return len(self.images)

    def part(self, name: str) -> ImageSet:
        """Return the images of one split, with all classes kept.

        Raises:
            ValueError: when `name` is not one of `SPLITS`.
        """
        return self.take(self.split == SPLITS.index(name))

    def take(self, chosen: Tensor) -> ImageSet:
        """Return some of the images, with all classes kept.

        Args:
            chosen: bool (N,), or int64 indices in the order wanted.
        """
        return ImageSet(
            self.images[chosen],
            self.labels[chosen],
            self.classes,
            self.split[chosen],
            None if self.groups is None else self.groups[chosen],
            self.unit,
        )

    def of_classes(self, names: Sequence[str]) -> ImageSet:
        """Return the images of some classes, labelled in the order of `names`.

        Raises:
            ValueError: when a name is not one of `classes`.
        """
        kept = torch.tensor([self.classes.index(name) for name in names], dtype=torch.int64)
        new_labels = torch.full((len(self.classes),), -1, dtype=torch.int64)
        new_labels[kept] = torch.arange(len(kept))
        labels = new_labels[self.labels]
        chosen = labels >= 0
        return replace(self.take(chosen), labels=labels[chosen], classes=tuple(names))

    def count_by_class(self) -> dict[str, int]:
        """Count the images of each class, in class order."""
        counts = torch.bincount(self.labels, minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, counts, strict=True))

    def to_bytes(self) -> bytes:
        """Serialise the set as one safetensors file; equal sets give equal bytes."""
        tensors = {
            "images": self.images.contiguous(),
            "labels": self.labels.contiguous(),
            "split": self.split.contiguous(),
        }
        document: dict[str, object] = {"classes": self.classes, "splits": SPLITS, **UNSEALED}
        if self.groups is not None:
            tensors["groups"] = self.groups.contiguous()
            document["unit"] = self.unit
        description = json.dumps(document)
        return sealed(tensors_to_bytes(tensors, metadata={_METADATA_KEY: description}))

    @staticmethod
    def from_bytes(data: bytes) -> ImageSet:
        """Read what `to_bytes` wrote.

        Raises:
            DamagedError: when the bytes are not an image set, or not as it was stored.
        """
        expect_intact(data)
        try:
            tensors = tensors_from_bytes(data)
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            description = json.loads(header["__metadata__"][_METADATA_KEY])
            return ImageSet(
                images=tensors["images"],
                labels=tensors["labels"],
                classes=tuple(description["classes"]),
                split=tensors["split"],
                groups=tensors.get("groups"),
                unit=description.get("unit", "image"),
            )
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise DamagedError("these bytes are not a saved image set") from error

    def save(self, path: Path) -> None:
        """Write the set to `path` (safetensors)."""
        path.write_bytes(self.to_bytes())

    @staticmethod
    def load(path: Path) -> ImageSet:
        """Read a set that `save` wrote.

        Raises:
            ValueError: when the file is not an image set.
        """
        return ImageSet.from_bytes(path.read_bytes())

"""Section: the distilled images; inside the organisation beside starts and nearest images."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from worker.reports.blocks import Block, Gallery, Picture, Section, Text
from worker.reports.inputs import ReportSource
from worker.reports.nearest import nearest_of_class

MOST = 60
"""Distilled images in a report; the bundle holds all."""
MOST_PER_CLASS = 20

_QUALITY = 80
_STARTS = {
    "real": "a patient's image",
    "k_mean": "a mean of several patients' images",
    "noise": "noise",
    "dp_mean": "a class mean with noise",
    "public": "generated chests",
}


def section(document: Mapping[str, Any], source: ReportSource, *, inside: bool) -> Section:
    """Show the first images of each class.

    Args:
        document: The report's document.
        source: Gives the images.
        inside: Show starts and nearest training images too, as far as they were kept.
    """
    distilled = source.distilled
    text = "Made for training, not for viewing; clipped to 256 grey levels in this report."
    blocks: list[Block] = [Text(text)]
    beside = []
    if inside and distilled.initial_images is not None:
        kind = _STARTS.get(document["initialisation"], "another image")
        beside.append(f"its start ({kind})")
    training = source.training if inside else None
    if training is not None:
        beside.append(
            "the training image of its class that resembles it most, by correlation of the pixels"
        )
    if beside:
        blocks.append(Text(f"From left to right: the distilled image; {'; '.join(beside)}."))
    if training is not None:
        blocks.append(
            Text(
                "Some training image is always the most alike. Look for details that only one "
                "patient has, such as a device, a scar or a marker."
            )
        )
    blocks.extend(_galleries(distilled, training, starts=inside))
    return Section("images", "The distilled images", blocks)


def _galleries(
    distilled: DistilledDataset, training: ImageSet | None, *, starts: bool
) -> Iterator[Gallery]:
    most = max(1, min(MOST_PER_CLASS, MOST // len(distilled.classes)))
    for label, name in enumerate(distilled.classes):
        chosen = distilled.labels == label
        count = int(chosen.sum())
        shown = distilled.images[chosen][:most]
        images = _webp(distilled, shown)
        begun: list[bytes | None] = [None] * len(images)
        if starts and distilled.initial_images is not None:
            begun = [*_webp(distilled, distilled.initial_images[chosen][:most])]
        nearest = _nearest(distilled.normalisation.invert(shown), label, training)
        rows = zip(images, begun, nearest, strict=True)
        yield Gallery(
            name,
            [
                Picture(image, start, place, near)
                for place, (image, start, near) in enumerate(rows, 1)
            ],
            f"The first {most} of {count}; the bundle holds all." if count > most else "",
        )


def _nearest(pictures: Tensor, label: int, training: ImageSet | None) -> list[bytes | None]:
    if training is None or not len(pictures):
        return [None] * len(pictures)
    labels = torch.full((len(pictures),), label)
    rows = nearest_of_class(pictures, labels, training.images, training.labels)
    return [_encode(training.images[row]) if row >= 0 else None for row in rows.tolist()]


def _webp(distilled: DistilledDataset, images: Tensor) -> list[bytes]:
    """Encode for viewing, in a third of the bytes of PNG; the bundle has the exact values."""
    return [_encode(picture) for picture in distilled.normalisation.invert(images)]


def _encode(picture: Tensor) -> bytes:
    file = io.BytesIO()
    pixels = picture[0] if len(picture) == 1 else picture.permute(1, 2, 0)
    image = Image.fromarray(pixels.contiguous().numpy())
    image.save(file, format="WEBP", quality=_QUALITY, method=4)
    return file.getvalue()

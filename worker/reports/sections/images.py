"""Section: the distilled images, beside their starts where those may be shown."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import Image
from torch import Tensor

from iadd.data.distilled_dataset import DistilledDataset
from worker.reports.blocks import Block, Gallery, Picture, Section, Text

MOST = 60
"""Distilled images in a report; the bundle holds all."""
MOST_PER_CLASS = 20

_QUALITY = 80
_STARTS = {
    "real": "a patient's image",
    "k_mean": "a mean of several patients' images",
    "noise": "noise",
}


def section(document: Mapping[str, Any], distilled: DistilledDataset, *, starts: bool) -> Section:
    """Show the first images of each class."""
    text = "Made for training, not for viewing; clipped to 256 grey levels in this report."
    blocks: list[Block] = [Text(text)]
    if starts and distilled.initial_images is not None:
        kind = _STARTS.get(document["initialisation"], "another image")
        blocks.append(Text(f"The distilled image is on the left, its start on the right: {kind}."))
    blocks.extend(_galleries(distilled, starts=starts))
    return Section("images", "The distilled images", blocks)


def _galleries(distilled: DistilledDataset, *, starts: bool) -> Iterator[Gallery]:
    most = max(1, min(MOST_PER_CLASS, MOST // len(distilled.classes)))
    for label, name in enumerate(distilled.classes):
        chosen = distilled.labels == label
        count = int(chosen.sum())
        images = _webp(distilled, distilled.images[chosen][:most])
        if starts and distilled.initial_images is not None:
            begun: list[bytes | None] = [*_webp(distilled, distilled.initial_images[chosen][:most])]
        else:
            begun = [None] * len(images)
        yield Gallery(
            name,
            [
                Picture(image, start, place)
                for place, (image, start) in enumerate(zip(images, begun, strict=True), 1)
            ],
            f"The first {most} of {count}; the bundle holds all." if count > most else "",
        )


def _webp(distilled: DistilledDataset, images: Tensor) -> list[bytes]:
    """Encode for viewing, in a third of the bytes of PNG; the bundle has the exact values."""
    return [_encode(picture) for picture in distilled.normalisation.invert(images)]


def _encode(picture: Tensor) -> bytes:
    file = io.BytesIO()
    pixels = picture[0] if len(picture) == 1 else picture.permute(1, 2, 0)
    image = Image.fromarray(pixels.contiguous().numpy())
    image.save(file, format="WEBP", quality=_QUALITY, method=4)
    return file.getvalue()

"""Writes an image set as safetensors without holding its pixels in memory, and without torch.

`iadd.data.image_set.ImageSet` reads it. The format: the length of a JSON header as 8 bytes, little
endian; the header; the tensors, one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from iadd.intake.quality.thumbnails import forget
from iadd.intake.splits import SPLITS
from iadd.runtime.seal import UNSEALED, SealingFile

_BLOCK = 512


def write_image_set(
    path: Path,
    pixels: npt.NDArray[np.uint8],
    order: Sequence[int],
    *,
    labels: Sequence[int],
    splits: Sequence[int],
    classes: Sequence[str],
    groups: Sequence[int],
    patients: bool,
) -> None:
    """Write the pictures `order` of `pixels`; equal sets give equal bytes.

    Args:
        path: where to write.
        pixels: uint8 (N, S, S), possibly a memory map.
        order: numbers of the pictures that are written, in their order.
        labels: index into `classes` of each picture that is written.
        splits: index into `SPLITS` of each.
        classes: names of the classes.
        groups: audit unit of each picture that is written, a number from 0.
        patients: whether these are patients, and not clusters of near-duplicates.
    """
    count, size = len(order), pixels.shape[-1]
    tensors = {
        "groups": ("I64", [count], 8 * count),
        "labels": ("I64", [count], 8 * count),
        "images": ("U8", [count, 1, size, size], count * size * size),
        "split": ("I8", [count], count),
    }
    unit = "patient" if patients else "image"
    document = {"classes": list(classes), "splits": SPLITS, "unit": unit, **UNSEALED}
    description = json.dumps(document)
    header: dict[str, object] = {"__metadata__": {"image_set": description}}
    start = 0
    for name, (kind, shape, length) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, start + length]}
        start += length
    text = json.dumps(header, separators=(",", ":")).encode()
    # Tensors begin at a multiple of eight bytes.
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        sealing = SealingFile(file, len(text).to_bytes(8, "little") + text)
        sealing.write(np.asarray(groups, dtype="<i8").tobytes())
        sealing.write(np.asarray(labels, dtype="<i8").tobytes())
        for first in range(0, count, _BLOCK):
            sealing.write(pixels[list(order[first : first + _BLOCK])].tobytes())
            forget(pixels)
        sealing.write(np.asarray(splits, dtype=np.int8).tobytes())
        sealing.seal()

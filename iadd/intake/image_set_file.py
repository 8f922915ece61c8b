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

_BLOCK = 512


def write_image_set(
    path: Path,
    pixels: npt.NDArray[np.uint8],
    order: Sequence[int],
    *,
    labels: Sequence[int],
    splits: Sequence[int],
    classes: Sequence[str],
) -> None:
    """Write the pictures `order` of `pixels`; equal sets give equal bytes.

    Args:
        path: where to write.
        pixels: uint8 (N, S, S), possibly a memory map.
        order: numbers of the pictures that are written, in their order.
        labels: index into `classes` of each picture that is written.
        splits: index into `SPLITS` of each.
        classes: names of the classes.
    """
    count, size = len(order), pixels.shape[-1]
    tensors = {
        "labels": ("I64", [count], 8 * count),
        "images": ("U8", [count, 1, size, size], count * size * size),
        "split": ("I8", [count], count),
    }
    description = json.dumps({"classes": list(classes), "splits": SPLITS})
    header: dict[str, object] = {"__metadata__": {"image_set": description}}
    start = 0
    for name, (kind, shape, length) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, start + length]}
        start += length
    text = json.dumps(header, separators=(",", ":")).encode()
    # Tensors begin at a multiple of eight bytes.
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.write(np.asarray(labels, dtype="<i8").tobytes())
        for first in range(0, count, _BLOCK):
            file.write(pixels[list(order[first : first + _BLOCK])].tobytes())
            forget(pixels)
        file.write(np.asarray(splits, dtype=np.int8).tobytes())

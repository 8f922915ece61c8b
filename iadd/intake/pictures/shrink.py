"""Resizes a grey picture to S × S and counts its levels, in strips of bounded memory.

Levels are resized as floats, never by way of 8 bits. Pillow resizes across and down one after the
other, so strips that are resized across and then joined give exactly what the whole picture gives.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from iadd.intake.pictures.levels import Counts
from iadd.intake.pictures.picture import Levels

Rows = Callable[[int, int], npt.NDArray[np.uint8] | npt.NDArray[np.uint16]]
"""Gives the grey levels of rows top…bottom, (bottom - top, width), always of one type."""

_PIXELS_PER_STRIP = 1 << 20
_BICUBIC = Image.Resampling.BICUBIC


def shrink(rows: Rows, width: int, height: int, image_size: int) -> tuple[Levels, Counts]:
    """Resize with antialias, and count the levels at the original size.

    Returns:
        The pixels, uint16 (S, S), and the counts, int64 (256,) or (65536,).
    """
    step = max(1, _PIXELS_PER_STRIP // width)
    across = np.empty((height, image_size), np.float32)
    counts: Counts | None = None
    highest = 0
    for top in range(0, height, step):
        strip = rows(top, min(height, top + step))
        highest = (1 << 8 * strip.dtype.itemsize) - 1
        counted = np.bincount(strip.ravel(), minlength=highest + 1)
        counts = counted if counts is None else counts + counted
        across[top : top + len(strip)] = _resized(strip, image_size, len(strip))
    assert counts is not None
    pixels = np.rint(_resized(across, image_size, image_size))
    return np.clip(pixels, 0, highest).astype(np.uint16), counts


def shrink_eight_bits(image: Image.Image, image_size: int) -> tuple[Levels, Counts]:
    """Do the same for a Pillow image of mode ``L``, with Pillow's own arithmetic, which is fast."""
    counts = np.array(image.histogram(), np.int64)
    side = (image_size, image_size)
    small = image if image.size == side else image.resize(side, _BICUBIC)
    return np.asarray(small).astype(np.uint16), counts


def upright(pixels: Levels, orientation: int) -> Levels:
    """Turn pixels as the EXIF orientation 1…8 asks; other values leave them as they are."""
    match orientation:
        case 2:
            pixels = pixels[:, ::-1]
        case 3:
            pixels = pixels[::-1, ::-1]
        case 4:
            pixels = pixels[::-1]
        case 5:
            pixels = pixels.T
        case 6:
            pixels = np.rot90(pixels, -1)
        case 7:
            pixels = pixels[::-1, ::-1].T
        case 8:
            pixels = np.rot90(pixels)
    return np.ascontiguousarray(pixels)


def _resized(
    levels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32],
    width: int,
    height: int,
) -> npt.NDArray[np.float32]:
    floats = levels.astype(np.float32, copy=False)
    if floats.shape == (height, width):
        return floats
    return np.asarray(Image.fromarray(floats).resize((width, height), _BICUBIC))

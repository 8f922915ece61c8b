"""Thumbnails: a small sheet per class, by which a person sees that the archive is the right one."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

COLUMNS, ROWS = 8, 3
SIDE = 56
MOST_PAIRS = 12
GAP = 8


def thumbnail_sheet(pixels: npt.NDArray[np.uint8], chosen: Sequence[int]) -> bytes:
    """Draw a PNG of up to 24 of the chosen pictures, without gaps, left to right."""
    shown = chosen[: COLUMNS * ROWS]
    rows = -(-len(shown) // COLUMNS)
    sheet = Image.new("L", (COLUMNS * SIDE, rows * SIDE))
    for index, number in enumerate(shown):
        small = Image.fromarray(np.ascontiguousarray(pixels[number])).resize((SIDE, SIDE))
        sheet.paste(small, (index % COLUMNS * SIDE, index // COLUMNS * SIDE))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()


def pair_sheet(pixels: npt.NDArray[np.uint8], pairs: Sequence[tuple[int, int]]) -> bytes:
    """Draw a PNG of up to 12 pairs, one under the other, each side by side with a gap."""
    size = pixels.shape[-1]
    shown = pairs[:MOST_PAIRS]
    sheet = Image.new("L", (2 * size + GAP, len(shown) * (size + GAP) - GAP), 255)
    for row, pair in enumerate(shown):
        for column, number in enumerate(pair):
            picture = Image.fromarray(np.ascontiguousarray(pixels[number]))
            sheet.paste(picture, (column * (size + GAP), row * (size + GAP)))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()

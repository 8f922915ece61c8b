"""Thumbnails: a small sheet per class, by which a person sees that the archive is the right one."""

import io

import numpy as np
from PIL import Image

from iadd.data.image_set import ImageSet

COLUMNS, ROWS = 8, 3
SIDE = 56


def thumbnail_sheet(image_set: ImageSet, label: int) -> bytes:
    """Draw a PNG of up to 24 training images of one class, without gaps, left to right."""
    part = image_set.part("train")
    pixels = part.images[part.labels == label][: COLUMNS * ROWS, 0].numpy()
    rows = -(-len(pixels) // COLUMNS)
    sheet = Image.new("L", (COLUMNS * SIDE, rows * SIDE))
    for index, image in enumerate(pixels):
        small = Image.fromarray(np.ascontiguousarray(image)).resize((SIDE, SIDE))
        sheet.paste(small, (index % COLUMNS * SIDE, index // COLUMNS * SIDE))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()

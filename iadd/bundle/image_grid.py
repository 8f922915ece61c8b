"""Draws distilled images as one picture."""

import torch
from PIL import Image

from iadd.data.distilled_dataset import DistilledDataset

_GAP = 4


def draw_image_grid(distilled: DistilledDataset) -> Image.Image:
    """Draw the images, one row per class, in the order of the labels.

    Values outside the range of real intensities are clipped.
    """
    pixels = distilled.normalisation.invert(distilled.images)
    rows = [pixels[distilled.labels == label] for label in range(len(distilled.classes))]
    _, channels, height, width = pixels.shape
    columns = max(len(row) for row in rows)
    grid = torch.full(
        (channels, len(rows) * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP),
        255,
        dtype=torch.uint8,
    )
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            top, left = _GAP + y * (height + _GAP), _GAP + x * (width + _GAP)
            grid[:, top : top + height, left : left + width] = image
    array = grid[0] if channels == 1 else grid.permute(1, 2, 0)
    return Image.fromarray(array.numpy())

"""Distilled images are drawn as one picture, a row per class."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from iadd.bundle.image_grid import draw_image_grid
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.normalisation import Normalisation
from tests.iadd.factories import make_distilled

GAP = 4


def draw_by_hand(distilled: DistilledDataset) -> Image.Image:
    """The grid as it was drawn before torchvision drew it."""
    pixels = distilled.normalisation.invert(distilled.images)
    rows = [pixels[distilled.labels == label] for label in range(len(distilled.classes))]
    _, channels, height, width = pixels.shape
    columns = max(len(row) for row in rows)
    grid = torch.full(
        (channels, len(rows) * (height + GAP) + GAP, columns * (width + GAP) + GAP),
        255,
        dtype=torch.uint8,
    )
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            top, left = GAP + y * (height + GAP), GAP + x * (width + GAP)
            grid[:, top : top + height, left : left + width] = image
    array = grid[0] if channels == 1 else grid.permute(1, 2, 0)
    return Image.fromarray(array.contiguous().numpy())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "labels", [[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0], [1], [0]], ids=lambda labels: f"{labels}"
)
def test_the_grid_is_the_one_drawn_by_hand(
    config: Config, channels: int, labels: list[int]
) -> None:
    generator = torch.Generator().manual_seed(7)
    images = torch.randint(0, 256, (len(labels), channels, 9, 9), generator=generator)
    normalisation = Normalisation((0.4,) * channels, (0.2,) * channels)
    distilled = replace(
        make_distilled(config),
        images=normalisation.apply(images.to(torch.uint8)),
        labels=torch.tensor(labels),
        normalisation=normalisation,
    )
    drawn, expected = draw_image_grid(distilled), draw_by_hand(distilled)
    assert drawn.mode == expected.mode
    assert drawn.size == expected.size
    assert drawn.tobytes() == expected.tobytes()

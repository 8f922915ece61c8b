"""Draws distilled images as one picture."""

from PIL import Image

from iadd.data.distilled_dataset import DistilledDataset

_GAP = 4
_WHITE = 255


def draw_image_grid(distilled: DistilledDataset) -> Image.Image:
    """Draw the images, one row per class, in the order of the labels.

    Values outside the range of real intensities are clipped.
    """
    # Imported here: it takes a second.
    from torchvision.utils import make_grid

    pixels = distilled.normalisation.invert(distilled.images)
    rows = [pixels[distilled.labels == label] for label in range(len(distilled.classes))]
    columns = max(len(row) for row in rows)
    # A class of fewer images is filled up with white, as are the gaps. One column more, cut off
    # again, since torchvision draws no gap around a single image.
    tiles = pixels.new_full((len(rows), columns + 1, *pixels.shape[1:]), _WHITE)
    for tile, row in zip(tiles, rows, strict=True):
        tile[: len(row)] = row
    grid = make_grid(tiles.flatten(0, 1), nrow=columns + 1, padding=_GAP, pad_value=_WHITE)
    grid = grid[..., : -(pixels.shape[-1] + _GAP)]
    array = grid[0] if pixels.shape[1] == 1 else grid.permute(1, 2, 0)
    return Image.fromarray(array.contiguous().numpy())

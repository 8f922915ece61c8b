"""A picture whose header is read and whose grey levels can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from iadd.intake.pictures.levels import depth_for
from iadd.intake.pictures.shrink import Rows

Reserve = Callable[[int], None]
"""Called once per picture, before its pixels are decoded, with the bytes that this will take."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class GreyImage:
    """Grey levels of one file, as stored, and what its header says of them.

    Attributes:
        width: pixels across, as stored.
        height: pixels down, as stored.
        format: one of `sniff.FORMATS`.
        kind: colours and word size (``grey 16``), for the group.
        rows: the levels, or a Pillow image of mode ``L``.
        depth: bits of the levels, None where unknown.
        significant: bits that a writer declared as significant in wider words, None where it
            declared none: either the levels lie in these bits, or they were shifted up to 16.
        white_is_zero: whether low levels are bright.
        orientation: EXIF, 1…8.
        metadata: kinds of descriptive data found.
        pages_left_out: further pictures in the file.
    """

    width: int
    height: int
    format: str
    kind: str
    rows: Rows | Image.Image
    depth: int | None
    significant: int | None = None
    white_is_zero: bool = False
    orientation: int = 1
    metadata: tuple[str, ...] = ()
    pages_left_out: int = 0


def rows_of_array(samples: npt.NDArray[np.uint16], *, premultiplied: bool = False) -> Rows:
    """Give the luma of samples (H, W) or (H, W, C), strip by strip.

    C is 1 grey, 2 grey and alpha, 3 colours or 4 colours and alpha. Alpha is laid over black, so
    that what is transparent counts as black, and its hidden values are not shown.

    Args:
        samples: uint16.
        premultiplied: whether the samples are multiplied by alpha already.
    """
    if samples.ndim == 2:
        return lambda top, bottom: samples[top:bottom]
    channels = samples.shape[-1]
    colours = 3 if channels >= 3 else 1
    opaque = 0
    if channels in (2, 4) and not premultiplied:
        # Some writers store alpha, too, with the detector's 12 bits.
        opaque = (1 << depth_for(int(samples[..., -1].max()))) - 1

    def rows(top: int, bottom: int) -> npt.NDArray[np.uint16]:
        strip = samples[top:bottom]
        grey = strip[..., 0].astype(np.float32)
        if colours == 3:
            grey = strip[..., :3].astype(np.float32) @ _LUMA
        if opaque:
            grey *= np.minimum(strip[..., -1], opaque).astype(np.float32) / opaque
        return np.rint(grey).astype(np.uint16)

    return rows


def rows_of_image(image: Image.Image, transparent: int | None = None) -> Rows:
    """Give the levels of a Pillow image of mode ``I;16``, strip by strip.

    Args:
        image: The image.
        transparent: the one level that stands for transparent, and so counts as black.
    """

    def rows(top: int, bottom: int) -> npt.NDArray[np.uint16]:
        strip = np.asarray(image.crop((0, top, image.width, bottom))).astype(np.uint16)
        if transparent is not None:
            strip[strip == transparent] = 0
        return strip

    return rows

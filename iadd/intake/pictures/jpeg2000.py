"""Reads JPEG 2000, in its container or as a raw codestream."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image

from iadd.intake.errors import FileError
from iadd.intake.pictures.eight_bits import kind_of, to_grey
from iadd.intake.pictures.grey_image import GreyImage, Reserve, rows_of_array
from iadd.intake.pictures.levels import LEAST_DEPTH, MOST_DEPTH
from iadd.intake.pictures.picture import check_size, truncated
from iadd.intake.pictures.shrink import Rows

_CODESTREAM = b"\xff\x4f\xff\x51"
_MOST_TILES = 65_535
_BOXES = {b"xml ": "xmp", b"uuid": "private", b"uinf": "private"}


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    components: int
    bits: int
    signed: bool


def read_jpeg2000(data: bytes, reserve: Reserve) -> GreyImage:
    """Read a JPEG 2000 picture.

    Raises:
        FileError: ``too_large``, ``too_small``, ``truncated`` or ``unsupported_pixels``.
    """
    header = _header(data)
    if header.signed or header.bits > MOST_DEPTH or header.components > 4:
        raise FileError(
            "unsupported_pixels",
            "Its grey values are not whole numbers from 0 to 65,535; export it as grey PNG.",
        )
    # OpenJPEG decodes to 32 bits per sample.
    reserve(6 * header.width * header.height * header.components)
    rows: Rows | Image.Image
    if header.bits <= 8:
        image = Image.open(io.BytesIO(data), formats=["JPEG2000"])
        image.load()
        rows, kind, depth = to_grey(image), kind_of(image), 8
    else:
        from imagecodecs import jpeg2k_decode

        samples = jpeg2k_decode(data).astype(np.uint16, copy=False)
        colours = "grey" if samples.ndim == 2 else "colour"
        rows, kind = rows_of_array(samples), f"{colours} {header.bits}"
        depth = header.bits
    return GreyImage(
        width=header.width,
        height=header.height,
        format="JPEG 2000",
        kind=kind,
        rows=rows,
        # What says 16 bits is often a 12-bit picture in 16-bit words.
        depth=depth if LEAST_DEPTH <= depth < MOST_DEPTH else None,
        metadata=tuple(sorted({kind for box, kind in _BOXES.items() if box in data[:65536]})),
    )


def _header(data: bytes) -> _Header:
    start = data.find(_CODESTREAM)
    try:
        _, _, right, bottom, left, top, across, down = struct.unpack_from(
            ">HHIIIIII", data, start + 4
        )
        components, bits = struct.unpack_from(">HB", data, start + 4 + 36)
    except struct.error as error:
        raise truncated() from error
    if start < 0 or right <= left or bottom <= top or not (across and down and components):
        raise truncated()
    width, height = right - left, bottom - top
    check_size(width, height)
    if -(-width // across) * -(-height // down) > _MOST_TILES:
        raise truncated()
    return _Header(width, height, components, (bits & 0x7F) + 1, bool(bits & 0x80))

"""Reads PNG: 8 bits by Pillow, 16-bit colour and alpha by imagecodecs.

Decoders get the file without its descriptive chunks: they need none of them, and refuse large ones.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from iadd.intake.pictures.eight_bits import kind_of, to_grey
from iadd.intake.pictures.exif import orientation_of
from iadd.intake.pictures.grey_image import GreyImage, Reserve, rows_of_array, rows_of_image
from iadd.intake.pictures.levels import LEAST_DEPTH, MOST_DEPTH
from iadd.intake.pictures.picture import check_size, truncated
from iadd.intake.pictures.shrink import Rows

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_HARMLESS = (
    b"bKGD", b"cHRM", b"cICP", b"gAMA", b"hIST", b"iDOT", b"pHYs", b"sBIT", b"sPLT", b"sRGB",
    b"acTL", b"fcTL", b"fdAT",
)  # fmt: skip
_KINDS = {b"tEXt": "text", b"zTXt": "text", b"iTXt": "text", b"eXIf": "exif", b"iCCP": "icc",
          b"tIME": "time"}  # fmt: skip
_XMP = b"XML:com.adobe.xmp\0"
_GREY, _COLOUR, _GREY_ALPHA = 0, 2, 4


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    bits: int
    colours: int


@dataclass(frozen=True)
class _Chunk:
    """A chunk from its length to its checksum: data[start:end]."""

    name: bytes
    start: int
    end: int


def read_png(data: bytes, reserve: Reserve) -> GreyImage:
    """Read a PNG.

    Raises:
        FileError: ``too_large``, ``too_small`` or ``truncated``.
    """
    chunks = list(_chunks(data))
    header = _header(data, chunks)
    check_size(header.width, header.height)
    lean = _lean(data, chunks)
    rows, kind = _pixels(lean, header, reserve)
    return GreyImage(
        width=header.width,
        height=header.height,
        format="PNG",
        kind=kind,
        rows=rows,
        depth=None if header.bits == 16 else 8,
        significant=_significant(data, chunks) if header.bits == 16 else None,
        orientation=_orientation(data, chunks),
        metadata=_metadata(data, chunks),
    )


def _pixels(lean: bytes, header: _Header, reserve: Reserve) -> tuple[Rows | Image.Image, str]:
    area = header.width * header.height
    if header.bits == 16 and header.colours != _GREY:
        channels = {_COLOUR: 3, _GREY_ALPHA: 2}.get(header.colours, 4)
        reserve(2 * area * channels)
        from imagecodecs import png_decode

        kind = "grey and alpha 16" if channels == 2 else "colour 16"
        return rows_of_array(png_decode(lean)), kind
    reserve(area * (2 if header.bits == 16 else 2 if header.colours == _GREY else 6))
    image = Image.open(io.BytesIO(lean), formats=["PNG"])
    image.load()
    if header.bits == 16:
        level = image.info.get("transparency")
        return rows_of_image(image, level if isinstance(level, int) else None), "grey 16"
    if isinstance(image.info.get("transparency"), int) and header.bits < 8:
        image.info["transparency"] *= 255 // ((1 << header.bits) - 1)
    return to_grey(image), kind_of(image)


def _chunks(data: bytes) -> Iterator[_Chunk]:
    position = len(_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        name = data[position + 4 : position + 8]
        end = position + 12 + length
        yield _Chunk(name, position, min(end, len(data)))
        if name == b"IEND":
            return
        position = end


def _header(data: bytes, chunks: list[_Chunk]) -> _Header:
    if not chunks or chunks[0].name != b"IHDR" or chunks[0].end - chunks[0].start != 25:
        raise truncated()
    return _Header(*struct.unpack_from(">IIBB", data, chunks[0].start + 8))


def _lean(data: bytes, chunks: list[_Chunk]) -> bytes:
    view = memoryview(data)
    pieces = [view[chunk.start : chunk.end] for chunk in chunks if chunk.name in _KEPT]
    return b"".join([_SIGNATURE, *pieces])


def _metadata(data: bytes, chunks: list[_Chunk]) -> tuple[str, ...]:
    kinds = set()
    for chunk in chunks:
        if chunk.name == b"iTXt" and data.startswith(_XMP, chunk.start + 8):
            kinds.add("xmp")
        elif chunk.name not in _KEPT and chunk.name not in _HARMLESS:
            kinds.add(_KINDS.get(chunk.name, "private"))
    if chunks[-1].name == b"IEND" and chunks[-1].end < len(data):
        kinds.add("trailing_data")
    return tuple(sorted(kinds))


def _orientation(data: bytes, chunks: list[_Chunk]) -> int:
    for chunk in chunks:
        if chunk.name == b"eXIf":
            return orientation_of(data[chunk.start + 8 : chunk.end - 4])
    return 1


def _significant(data: bytes, chunks: list[_Chunk]) -> int | None:
    for chunk in chunks:
        if chunk.name == b"sBIT" and chunk.end - chunk.start > 12:
            bits = data[chunk.start + 8]
            return bits if LEAST_DEPTH <= bits < MOST_DEPTH else None
    return None

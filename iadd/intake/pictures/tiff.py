"""Reads TIFF: the largest page, of 8 bits by Pillow, of more by imagecodecs.

The pages are walked here, not by a decoder: Pillow fails at the first page that it cannot read.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from iadd.intake.errors import FileError
from iadd.intake.pictures.eight_bits import kind_of, to_grey
from iadd.intake.pictures.grey_image import GreyImage, Reserve, rows_of_array
from iadd.intake.pictures.picture import check_size, truncated
from iadd.intake.pictures.shrink import Rows

_MOST_PAGES = 1000
_MOST_TAGS = 4096
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _ORIENTATION = 256, 257, 258, 262, 274
_SAMPLES, _PLANAR, _EXTRA, _FORMAT = 277, 284, 338, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_PREMULTIPLIED = 1
_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}
_METADATA = {
    269: "text", 270: "text", 271: "text", 272: "text", 285: "text", 305: "text", 306: "text",
    315: "text", 316: "text", 33432: "text", 700: "xmp", 33723: "iptc", 34377: "iptc",
    34665: "exif", 34853: "exif", 34675: "icc",
}  # fmt: skip
_FIRST_PRIVATE = 32768


@dataclass(frozen=True)
class _Page:
    offset: int
    tags: dict[int, tuple[int, ...]]

    def value(self, tag: int, otherwise: int) -> int:
        values = self.tags.get(tag)
        return values[0] if values else otherwise

    @property
    def area(self) -> int:
        return self.value(_WIDTH, 0) * self.value(_HEIGHT, 0)


def read_tiff(data: bytes, reserve: Reserve) -> GreyImage:
    """Read the largest page of a TIFF.

    Raises:
        FileError: ``too_large``, ``too_small``, ``truncated`` or ``unsupported_pixels``.
    """
    pages = list(_pages(data))
    if not pages or not any(page.area for page in pages):
        raise truncated()
    page = max(pages, key=lambda page: page.area)
    width, height = page.value(_WIDTH, 0), page.value(_HEIGHT, 0)
    check_size(width, height)
    data = _with_first_page(data, page.offset)
    bits = page.value(_BITS, 1)
    samples = page.value(_SAMPLES, 1)
    reserve(width * height * max(1, bits // 8) * (samples + 1) + len(data))
    image = _opened(data) if _is_eight_bits(page) else None
    if image is not None:
        # Pillow turns these upright by itself, and their polarity, too.
        kind = kind_of(image)
        image.load()
        rows: Rows | Image.Image = to_grey(image)
    else:
        kind = f"{'grey' if samples <= 2 else 'colour'} {bits}"
        rows = _deep(data, page)
    white_is_zero = page.value(_PHOTOMETRIC, _BLACK_IS_ZERO) == _WHITE_IS_ZERO
    return GreyImage(
        width=width,
        height=height,
        format="TIFF",
        kind=kind,
        rows=rows,
        depth=max(8, bits) if bits < 16 else None,
        white_is_zero=image is None and white_is_zero,
        orientation=1 if image is not None else page.value(_ORIENTATION, 1),
        metadata=_metadata(pages),
        pages_left_out=len(pages) - 1,
    )


def _is_eight_bits(page: _Page) -> bool:
    whole = page.value(_FORMAT, _UNSIGNED) in (_UNSIGNED, _UNDEFINED)
    return whole and page.value(_BITS, 1) <= 8


def _opened(data: bytes) -> Image.Image | None:
    try:
        return Image.open(io.BytesIO(data), formats=["TIFF"])
    except UnidentifiedImageError:
        return None


def _deep(data: bytes, page: _Page) -> Rows:
    if page.value(_PHOTOMETRIC, _BLACK_IS_ZERO) not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        raise _unsupported()
    if page.value(_FORMAT, _UNSIGNED) not in (_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED):
        raise _unsupported()
    from imagecodecs import TiffError, tiff_decode

    try:
        samples: npt.NDArray[Any] = tiff_decode(data)
    except (TiffError, NotImplementedError, ValueError) as error:
        if _is_cut(error):
            raise truncated() from error
        raise _unsupported() from error
    if page.value(_PLANAR, 1) == 2 and samples.ndim == 3:
        samples = np.moveaxis(samples, 0, -1)
    if samples.ndim not in (2, 3) or (samples.ndim == 3 and samples.shape[-1] > 4):
        raise _unsupported()
    premultiplied = page.value(_EXTRA, 0) == _PREMULTIPLIED
    return rows_of_array(_unsigned(samples), premultiplied=premultiplied)


def _is_cut(error: Exception) -> bool:
    return any(word in str(error) for word in ("Read error", "Not enough data", "bytes at"))


def _unsigned(samples: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Take whole numbers of any type as uint16.

    Raises:
        FileError: ``unsupported_pixels`` for fractions, negative and greater numbers.
    """
    if samples.dtype == np.uint16:
        return samples.astype(np.uint16, copy=False)
    low, high = float(np.min(samples)), float(np.max(samples))
    if np.issubdtype(samples.dtype, np.floating) and high <= 1:
        raise FileError(
            "unsupported_pixels",
            "Its grey values are fractions; export it as PNG or TIFF with 8 or 16 bits.",
        )
    if not (low >= 0 and high < 1 << 16):
        raise FileError(
            "unsupported_pixels",
            "Its grey values are not whole numbers from 0 to 65,535; "
            "export it as PNG or TIFF with 8 or 16 bits.",
        )
    return np.asarray(np.rint(samples), np.uint16)


def _unsupported() -> FileError:
    return FileError(
        "unsupported_pixels",
        "It is a TIFF of a kind that is not read; export it as grey PNG or TIFF "
        "with 8 or 16 bits, uncompressed or with LZW.",
    )


def _with_first_page(data: bytes, offset: int) -> bytes:
    """Return the file with its header pointing to the page at `offset`."""
    order = "<" if data[:2] == b"II" else ">"
    if _is_big(data):
        pointer, place = struct.pack(order + "Q", offset), 8
    else:
        pointer, place = struct.pack(order + "I", offset), 4
    if data[place : place + len(pointer)] == pointer:
        return data
    return b"".join([data[:place], pointer, memoryview(data)[place + len(pointer) :]])


def _is_big(data: bytes) -> bool:
    return b"+" in data[2:4]


def _pages(data: bytes) -> Iterator[_Page]:
    """Walk the directories; a file cut short or in a loop ends them."""
    order = "<" if data[:2] == b"II" else ">"
    big = _is_big(data)
    count_type, offset_type, entry_size = ("Q", "Q", 20) if big else ("H", "I", 12)
    seen: set[int] = set()
    try:
        (offset,) = struct.unpack_from(order + offset_type, data, 8 if big else 4)
        while offset and offset not in seen and len(seen) < _MOST_PAGES:
            seen.add(offset)
            (count,) = struct.unpack_from(order + count_type, data, offset)
            start = offset + struct.calcsize(count_type)
            entries = range(start, start + min(count, _MOST_TAGS) * entry_size, entry_size)
            tags = dict(_tag(data, order, entry, big) for entry in entries)
            yield _Page(offset, tags)
            (offset,) = struct.unpack_from(order + offset_type, data, start + count * entry_size)
    except struct.error:
        return


def _tag(data: bytes, order: str, entry: int, big: bool) -> tuple[int, tuple[int, ...]]:
    """Read a tag's first values where they are whole numbers; of others only that it is there."""
    tag, kind = struct.unpack_from(order + "HH", data, entry)
    (count,) = struct.unpack_from(order + ("Q" if big else "I"), data, entry + 4)
    place, room = (entry + 12, 8) if big else (entry + 8, 4)
    if kind not in _TYPES or not count:
        return tag, ()
    letters = order + _TYPES[kind] * min(count, 4)
    if struct.calcsize(order + _TYPES[kind]) * count > room:
        (place,) = struct.unpack_from(order + ("Q" if big else "I"), data, place)
    return tag, struct.unpack_from(letters, data, place)


def _metadata(pages: list[_Page]) -> tuple[str, ...]:
    kinds = set()
    for page in pages:
        for tag in page.tags:
            if tag in _METADATA:
                kinds.add(_METADATA[tag])
            elif tag >= _FIRST_PRIVATE:
                kinds.add("private")
    return tuple(sorted(kinds))

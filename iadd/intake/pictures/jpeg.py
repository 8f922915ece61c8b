"""Reads JPEG: 8 bits by Pillow; 12 bits, lossless and JPEG-LS by imagecodecs."""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from iadd.intake.errors import FileError
from iadd.intake.pictures.eight_bits import kind_of, to_grey
from iadd.intake.pictures.exif import orientation_of
from iadd.intake.pictures.grey_image import GreyImage, Reserve, rows_of_array
from iadd.intake.pictures.levels import LEAST_DEPTH, MOST_DEPTH
from iadd.intake.pictures.picture import check_size, truncated
from iadd.intake.pictures.shrink import Rows

MOST_SCANS = 100
"""Cameras write ten; each further scan of a few bytes makes a decoder walk all pixels once more."""

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SCAN, _END = 0xDA, 0xD9
_JPEG_LS = 0xF7
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {_JPEG_LS}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF, _JPEG_LS})
_COMMENT = 0xFE
_APPLICATIONS = range(0xE0, 0xF0)
_SEGMENTS = (
    (0xE1, b"Exif\0", "exif"),
    (0xE1, b"http://ns.adobe.com/", "xmp"),
    (0xE2, b"ICC_PROFILE\0", "icc"),
    (0xED, b"Photoshop ", "iptc"),
    (0xE0, b"JFIF\0", None),
    (0xE8, b"SPIFF\0", None),
    (0xE8, b"\0\0\0\1", None),
    (0xEE, b"Adobe", None),
)


@dataclass
class _Header:
    frame: int = 0
    bits: int = 0
    width: int = 0
    height: int = 0
    components: int = 0
    scans: int = 0
    orientation: int = 1
    kinds: set[str] = field(default_factory=set)


def read_jpeg(data: bytes, image_size: int, reserve: Reserve) -> GreyImage:
    """Read a JPEG.

    Raises:
        FileError: ``too_large``, ``too_small``, ``truncated`` or ``unsupported_pixels``.
    """
    header = _header(data)
    check_size(header.width, header.height)
    if header.scans > MOST_SCANS:
        raise FileError(
            "unsupported_pixels",
            f"It is a progressive JPEG of more than {MOST_SCANS} scans; export it as PNG.",
        )
    deep = header.bits != 8 or header.frame in _LOSSLESS
    rows, kind = (_deep if deep else _eight)(data, header, image_size, reserve)
    if deep and header.bits != 8:
        depth = header.bits if LEAST_DEPTH <= header.bits < MOST_DEPTH else None
    else:
        depth = 8
    return GreyImage(
        width=header.width,
        height=header.height,
        format="JPEG",
        kind=kind,
        rows=rows,
        depth=depth,
        orientation=header.orientation,
        metadata=tuple(sorted(header.kinds)),
    )


def _eight(
    data: bytes, header: _Header, image_size: int, reserve: Reserve
) -> tuple[Image.Image, str]:
    image = Image.open(io.BytesIO(data), formats=["JPEG"])
    kind = kind_of(image)
    # A large JPEG is decoded at a fraction of its size, still twice what is needed.
    image.draft("L", (2 * image_size, 2 * image_size))
    area = image.width * image.height * (2 if image.mode == "L" else 6)
    if header.frame in _PROGRESSIVE:
        area += 2 * header.width * header.height * header.components
    reserve(area)
    image.load()
    return to_grey(image), kind


def _deep(data: bytes, header: _Header, image_size: int, reserve: Reserve) -> tuple[Rows, str]:
    reserve(4 * header.width * header.height * header.components)
    if not is_complete(data):
        raise truncated()
    from imagecodecs import jpeg8_decode, jpegls_decode

    decode = jpegls_decode if header.frame == _JPEG_LS else jpeg8_decode
    samples = decode(data).astype(np.uint16, copy=False)
    return rows_of_array(samples), f"{'grey' if samples.ndim == 2 else 'colour'} {header.bits}"


def is_complete(data: bytes) -> bool:
    """Whether the pixels end with a marker: libjpeg fills up what is missing with grey."""
    return data.rfind(bytes((0xFF, _END))) > data.rfind(bytes((0xFF, _SCAN)))


def _header(data: bytes) -> _Header:
    """Walk the markers: pixel data hold none of them, and segments are skipped by their length."""
    header = _Header()
    position = 2
    while found := _MARKER.search(data, position):
        marker = data[found.start() + 1]
        start = found.end()
        if marker == _END:
            break
        if start + 2 > len(data):
            break
        (length,) = struct.unpack_from(">H", data, start)
        segment = data[start + 2 : start + length]
        if marker in _FRAMES and not header.frame:
            if len(segment) < 6:
                break
            header.frame = marker
            header.bits, header.height, header.width, header.components = struct.unpack_from(
                ">BHHB", segment
            )
        elif marker == _SCAN:
            header.scans += 1
            if header.frame == _JPEG_LS:
                break  # its pixel data may look like markers
        else:
            _note(header, marker, segment)
        position = start + max(2, length)
    if not (header.frame and header.scans):
        raise truncated()
    return header


def _note(header: _Header, marker: int, segment: bytes) -> None:
    if marker == _COMMENT:
        header.kinds.add("text")
    elif marker in _APPLICATIONS:
        for application, start, kind in _SEGMENTS:
            if marker == application and segment.startswith(start):
                if kind:
                    header.kinds.add(kind)
                if kind == "exif":
                    header.orientation = orientation_of(segment)
                return
        header.kinds.add("private")

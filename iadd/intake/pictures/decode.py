"""Decodes the bytes of one untrusted picture to grey pixels of one size.

Legend: S is the side of the square that every picture is resized to.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from iadd.intake.errors import FileError

Pixels = npt.NDArray[np.uint8]

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
MOST_PIXELS = 32_000_000
"""A 16-bit detector image has some 15 million; decoding this many in colour takes 160 MB."""
SHORTEST_SIDE = 16

# Depths of the detectors and files that store grey values in 16-bit words.
_DEPTHS = (8, 10, 12, 14, 16)
_ORIENTATION = 0x0112
_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0


def decode(data: bytes, *, image_size: int) -> Pixels:
    """Decode a PNG, JPEG, TIFF or BMP file to grey and resize it, with antialias.

    The picture is turned upright where its file says so, colours become luma (ITU-R 601), grey
    values of more than 8 bits are scaled by the depth they use, and the aspect ratio is not kept,
    as in the published experiments. If a file holds several pictures, the first is decoded.

    Returns:
        uint8 (S, S).

    Raises:
        FileError: ``empty_file``, ``dicom_not_yet``, ``nested_archive``, ``not_an_image``,
            ``too_large``, ``too_small``, ``truncated``, ``unsupported_pixels`` or ``blank``.
    """
    _reject_known_formats(data)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image)
            pixels = _grey(image, image_size)
    except FileError:
        raise
    except UnidentifiedImageError as error:
        raise FileError("not_an_image", "It is not a PNG, JPEG, TIFF or BMP picture.") from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except Exception as error:
        # Decoders of damaged files fail with OSError, SyntaxError, struct.error, IndexError, …
        raise FileError("truncated", "The picture is damaged or cut short.") from error
    if pixels.min() == pixels.max():
        raise FileError("blank", "All its pixels have the same value.")
    return pixels


def _reject_known_formats(data: bytes) -> None:
    if not data:
        raise FileError("empty_file", "It holds no bytes.")
    if data[128:132] == b"DICM":
        raise FileError("dicom_not_yet", "DICOM is not read yet; export the image as PNG or TIFF.")
    if data.startswith((b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")) or (
        data[257:262] == b"ustar"
    ):
        raise FileError(
            "nested_archive", "Archives inside the archive are not opened; unpack it first."
        )


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise _too_many_pixels()
    if min(image.size) < SHORTEST_SIDE:
        raise FileError("too_small", f"Its shorter side has fewer than {SHORTEST_SIDE} pixels.")


def _too_many_pixels() -> FileError:
    return FileError("too_large", f"It has more than {MOST_PIXELS // 1_000_000} million pixels.")


def _grey(image: Image.Image, image_size: int) -> Pixels:
    side = (image_size, image_size)
    # A large JPEG is decoded at a fraction of its size, still twice what is needed.
    image.draft("L", (2 * image_size, 2 * image_size))
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = Image.fromarray(_eight_bits(image))
    else:
        grey = image.convert("L")
    if image.getexif().get(_ORIENTATION, 1) != 1:
        grey = _upright(image, grey)
    if grey.size != side:
        grey = grey.resize(side, Image.Resampling.BICUBIC)
    return np.array(grey, dtype=np.uint8)


def _upright(image: Image.Image, grey: Image.Image) -> Image.Image:
    grey.getexif()[_ORIENTATION] = image.getexif()[_ORIENTATION]
    return ImageOps.exif_transpose(grey)


def _eight_bits(image: Image.Image) -> Pixels:
    """Scale grey values of more than 8 bits by the smallest usual depth that holds them all."""
    values: npt.NDArray[Any] = np.asarray(image)
    highest = float(values.max())
    if not (np.isfinite(values).all() and values.min() >= 0 and highest < 1 << _DEPTHS[-1]):
        raise FileError(
            "unsupported_pixels", "Its grey values are not whole numbers from 0 to 65,535."
        )
    if image.mode == "F" and highest <= 1:
        raise FileError(
            "unsupported_pixels", "Its grey values are fractions; export it with 8 or 16 bits."
        )
    depth = next(depth for depth in _DEPTHS if highest < 1 << depth)
    scaled = np.rint(values * (255.0 / ((1 << depth) - 1))).astype(np.uint8)
    # Pillow inverts white-is-zero TIFFs by itself, but only those of 8 bits.
    inverted = isinstance(image, TiffImageFile) and (
        image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    )
    return np.asarray(255 - scaled if inverted else scaled)

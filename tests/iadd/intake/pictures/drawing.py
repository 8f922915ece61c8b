"""Draws X-rays of the depths and kinds that the tests of pictures need."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from iadd.cohort import draw_image
from iadd.intake.pictures.picture import Picture
from iadd.intake.pictures.reading import read_picture

KEY = b"a key of the tests"
SIDE = 64


def chest(bits: int = 8, *, number: int = 0, side: int = SIDE) -> npt.NDArray[Any]:
    """Draw an X-ray of `bits` bits, (side, side), of uint8 or uint16; it uses most levels."""
    image = draw_image("Normal", number, image_size=side).astype(float)
    noise = np.random.default_rng(number).normal(0, 0.4, image.shape)
    levels = np.clip(image + noise, 0, 250) / 255 * ((1 << bits) - 1)
    return np.rint(levels).astype(np.uint8 if bits == 8 else np.uint16)


def encoded(pixels: npt.NDArray[Any] | Image.Image, picture_format: str, **options: Any) -> bytes:
    """Encode pixels by Pillow."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, picture_format, **options)
    return file.getvalue()


def read(data: bytes, *, size: int = SIDE, suffix: str = "") -> Picture:
    """Decode in this process."""
    return read_picture(data, image_size=size, patient_key=KEY, suffix=suffix)


def png_with(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Insert chunks after the header of a PNG."""
    inserted = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    return data[:33] + inserted + data[33:]


def raw_tiff(
    samples: npt.NDArray[Any],
    *,
    photometric: int = 1,
    order: str = "<",
    sample_format: int = 1,
    extra: int | None = None,
) -> bytes:
    """Write an uncompressed TIFF of one strip: kinds that Pillow does not write."""
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    bits = 8 * samples.dtype.itemsize
    tags = [
        (256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8),
        (277, channels), (278, height), (279, len(data)),
    ]  # fmt: skip
    if extra is not None:
        tags.append((338, extra))
    tags.append((339, sample_format))
    directory = struct.pack(order + "H", len(tags))
    place = 8 + len(data) + 2 + 12 * len(tags) + 4
    values = b""
    for tag, value in tags:
        if tag in (258, 339) and channels > 2:
            directory += struct.pack(order + "HHII", tag, 3, channels, place + len(values))
            values += struct.pack(f"{order}{channels}H", *[value] * channels)
        elif tag in (258, 339) and channels == 2:
            directory += struct.pack(order + "HHIHH", tag, 3, 2, value, value)
        else:
            directory += struct.pack(order + "HHII", tag, 4, 1, value)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    header = mark + struct.pack(order + "I", 8 + len(data))
    return header + data + directory + struct.pack(order + "I", 0) + values

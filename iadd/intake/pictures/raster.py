"""Reads pictures of all formats but DICOM to grey levels."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from iadd.intake.errors import FileError
from iadd.intake.pictures.eight_bits import kind_of, to_grey
from iadd.intake.pictures.exif import orientation_of
from iadd.intake.pictures.grey_image import GreyImage, Reserve
from iadd.intake.pictures.jpeg import read_jpeg
from iadd.intake.pictures.jpeg2000 import read_jpeg2000
from iadd.intake.pictures.picture import check_size, truncated
from iadd.intake.pictures.png import read_png
from iadd.intake.pictures.tiff import read_tiff

_PILLOW = {"BMP": ("BMP",), "WebP": ("WEBP",)}
_KINDS = {"exif": "exif", "xmp": "xmp", "icc_profile": "icc"}


def read_raster(data: bytes, picture_format: str, image_size: int, reserve: Reserve) -> GreyImage:
    """Read a picture of one of `sniff.FORMATS`, DICOM excepted.

    Raises:
        FileError: ``too_large``, ``too_small``, ``truncated`` or ``unsupported_pixels``.
    """
    try:
        match picture_format:
            case "PNG":
                return read_png(data, reserve)
            case "JPEG":
                return read_jpeg(data, image_size, reserve)
            case "TIFF":
                return read_tiff(data, reserve)
            case "JPEG 2000":
                return read_jpeg2000(data, reserve)
            case _:
                return _read_by_pillow(data, picture_format, reserve)
    except (FileError, MemoryError):
        raise
    except Exception as error:
        # Decoders of damaged files fail with OSError, SyntaxError, struct.error, IndexError, …
        raise truncated() from error


def _read_by_pillow(data: bytes, picture_format: str, reserve: Reserve) -> GreyImage:
    try:
        image = Image.open(io.BytesIO(data), formats=_PILLOW[picture_format])
    except Image.DecompressionBombError as error:
        raise FileError("too_large", "It has too many pixels; export it smaller.") from error
    except UnidentifiedImageError as error:
        raise truncated() from error
    check_size(*image.size)
    reserve(6 * image.width * image.height)
    pages = int(getattr(image, "n_frames", 1))
    exif = image.info.get("exif")
    metadata = sorted({kind for key, kind in _KINDS.items() if image.info.get(key)})
    image.load()
    return GreyImage(
        width=image.width,
        height=image.height,
        format=picture_format,
        kind=kind_of(image),
        rows=to_grey(image),
        depth=8,
        orientation=orientation_of(exif) if isinstance(exif, bytes) else 1,
        metadata=tuple(metadata),
        pages_left_out=pages - 1,
    )

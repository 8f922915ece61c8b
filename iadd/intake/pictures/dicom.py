"""Reads DICOM X-rays to grey levels of 16 bits, of every transfer syntax in use."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder

from iadd.intake.errors import FileError
from iadd.intake.pictures.dicom_codecs import plugin_for, register
from iadd.intake.pictures.dicom_header import (
    check_header,
    facts_of,
    is_secondary_capture,
    read_header,
    transfer_syntax_of,
)
from iadd.intake.pictures.dicom_levels import levels_table
from iadd.intake.pictures.grey_image import GreyImage, Reserve
from iadd.intake.pictures.levels import Counts
from iadd.intake.pictures.picture import DicomFacts, check_size

# Values that break the standard cost no picture, unless they are needed.
config.settings.reading_validation_mode = config.IGNORE

_STRIP = 1 << 20


def read_dicom(
    data: bytes, patient_key: bytes, reserve: Reserve
) -> tuple[GreyImage, DicomFacts, tuple[str, ...]]:
    """Read one DICOM file.

    Args:
        data: the whole file.
        patient_key: key of the hashes that stand for PatientID and SOPInstanceUID.
        reserve: called before pixels are decoded, with the bytes that this will take.

    Returns:
        The picture, of 16 bits in full range; what is kept of the header; the flags.

    Raises:
        FileError: the codes of `check_header`, ``too_large``, ``too_small``, ``truncated`` or
            ``unsupported_pixels``.
    """
    try:
        header = read_header(data)
        check_header(header)
        width, height = int(header.Columns), int(header.Rows)
        check_size(width, height)
        words = _words(header, reserve)
        table = levels_table(header, _counts(words))
        facts = facts_of(header, patient_key)
    except (FileError, MemoryError):
        raise
    except Exception as error:
        # Damaged DICOM fails with AttributeError, ValueError, RuntimeError, struct.error, …
        raise FileError(
            "truncated", "It is DICOM, damaged or cut short; export it again."
        ) from error
    image = GreyImage(
        width=width,
        height=height,
        format="DICOM",
        kind="grey 16",
        rows=lambda top, bottom: table[words[top:bottom]],
        depth=16,
        metadata=("dicom",),
    )
    return image, facts, ("secondary_capture",) if is_secondary_capture(header) else ()


def _words(header: Dataset, reserve: Reserve) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Decode the stored values, (H, W), as words without sign."""
    syntax = transfer_syntax_of(header)
    register()
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise _unsupported() from error
    if header["PixelData"].is_undefined_length != syntax.is_encapsulated:
        raise _unsupported()
    # OpenJPEG decodes to 32 bits, and the result is copied once.
    reserve(int(header.Rows) * int(header.Columns) * (8 if syntax.is_encapsulated else 2))
    header.setdefault("PhotometricInterpretation", "MONOCHROME2")
    header.setdefault("SamplesPerPixel", 1)
    header.setdefault("PixelRepresentation", 0)
    header.setdefault("BitsStored", header.BitsAllocated)
    options: dict[str, Any] = {"view_only": True, "decoding_plugin": plugin_for(syntax)}
    pixels, _ = decoder.as_array(header, index=0, raw=True, **options)
    if pixels.ndim != 2 or pixels.dtype.itemsize > 2:
        raise _unsupported()
    native: npt.NDArray[Any] = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    words: npt.NDArray[Any] = native.view(f"u{native.dtype.itemsize}")
    return words


def _counts(words: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> Counts:
    size = 1 << 8 * words.dtype.itemsize
    flat = words.reshape(-1)
    counts = np.zeros(size, np.int64)
    for start in range(0, len(flat), _STRIP):
        counts += np.bincount(flat[start : start + _STRIP], minlength=size)
    return counts


def _unsupported() -> FileError:
    return FileError(
        "unsupported_pixels",
        "Its DICOM pixels are compressed in a way that is not read; export it uncompressed "
        "(Explicit VR Little Endian) or as JPEG 2000.",
    )

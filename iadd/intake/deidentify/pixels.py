"""Takes out of a DICOM file's pixel data what is no picture.

That is what follows the pixels, what older overlays keep in the bits above them, and what
compressed pictures carry along.
"""

from __future__ import annotations

import numpy as np
from pydicom import Dataset, uid
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.utils import get_expected_length

from iadd.intake.deidentify.streams import clean_stream
from iadd.intake.errors import FileError

_STREAMS = frozenset((
    *uid.JPEGTransferSyntaxes, *uid.JPEGLSTransferSyntaxes, *uid.JPEG2000TransferSyntaxes,
    "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203",
))  # fmt: skip
_NATIVE = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
)


def clean_pixels(dataset: Dataset, syntax: uid.UID) -> tuple[bytes, uid.UID, bool]:
    """Return the pixel data of a file, its transfer syntax then, and whether more was there.

    Run lengths are decoded: what hides behind them cannot be told from them otherwise.

    Raises:
        FileError: ``dicom_syntax`` or ``pixel_stream``.
    """
    data = bytes(dataset.PixelData)
    if syntax in _STREAMS:
        frames = int(dataset.get("NumberOfFrames") or 1)
        before = list(generate_frames(data, number_of_frames=frames))
        after = [clean_stream(frame) for frame in before]
        more = any(
            frame.rstrip(b"\0") != clean.rstrip(b"\0")
            for frame, clean in zip(before, after, strict=True)
        )
        return encapsulate(after), syntax, more
    if syntax == uid.RLELossless:
        # Pydicom's own decoder, which is written in Python.
        dataset.decompress("pydicom", as_rgb=False, generate_instance_uid=False)
        return _trim(dataset, bytes(dataset.PixelData), "<"), uid.ExplicitVRLittleEndian, False
    if syntax in _NATIVE:
        clean = _trim(dataset, data, ">" if syntax == uid.ExplicitVRBigEndian else "<")
        return clean, syntax, clean != data
    raise FileError(
        "dicom_syntax", "Its DICOM pixels are coded in an unknown way; export it uncompressed."
    )


def _trim(dataset: Dataset, data: bytes, order: str) -> bytes:
    length = get_expected_length(dataset)
    if len(data) < length:
        raise FileError("truncated", "Its DICOM pixels are cut short; export it again.")
    allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    if order == ">":
        length += length % 2  # in words of swapped bytes the filling comes before the last pixel
    data = data[:length]
    if allocated in (8, 16) and stored < allocated:
        data = _without_spare_bits(dataset, data, f"{order}u{allocated // 8}")
    return data + bytes(len(data) % 2)


def _without_spare_bits(dataset: Dataset, data: bytes, kind: str) -> bytes:
    """Repeat the sign above the stored bits of signed pixels, and clear the others."""
    allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    lowest = int(dataset.get("HighBit", stored - 1)) - stored + 1
    if not 0 <= lowest <= allocated - stored:
        lowest = 0
    values = np.frombuffer(data, kind)
    mask = ((1 << stored) - 1) << lowest
    clean = values & values.dtype.type(mask)
    if int(dataset.get("PixelRepresentation", 0)) == 1:
        sign = (clean >> (lowest + stored - 1)) & 1
        above = ((1 << allocated) - 1) & ~((1 << (lowest + stored)) - 1)
        clean = clean | (sign * values.dtype.type(above))
    cleaned: bytes = clean.astype(kind).tobytes()
    return cleaned

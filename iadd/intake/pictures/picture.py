"""What one picture of an archive becomes, and the limits under which it is decoded.

Legend: S is the side of the square that every picture is resized to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iadd.intake.errors import FileError

Levels = npt.NDArray[np.uint16]

MOST_PIXELS = 32_000_000
"""A detector of 5,600 × 5,600 has 31.4 million."""
SHORTEST_SIDE = 16


@dataclass(frozen=True)
class DicomFacts:
    """What is kept of a DICOM header; all else is dropped.

    Attributes:
        patient: keyed hash of the PatientID, None where there is none.
        view: ViewPosition where it is one of the standard's words (``PA``, ``AP``, ``LL``, …).
        modality: ``CR``, ``DX``, ``DR``, ``RG``, ``OT`` or ``SC``.
        burned_in: BurnedInAnnotation, None where it is not stated.
        instance: keyed hash of the SOPInstanceUID (of all pixels where there is none: empty).
    """

    patient: str | None
    view: str | None
    modality: str
    burned_in: bool | None
    instance: str


@dataclass(frozen=True)
class Picture:
    """One decoded picture, upright, grey, resized to S × S.

    Attributes:
        pixels: uint16 (S, S), the file's own grey levels: bright is dense.
        depth: bits of the grey levels, None where the pictures of its group decide.
        high: the 99.9th percentile of the levels at the original size, markers left out.
        group: format, colours and word size: pictures alike in these may share a depth.
        width: pixels across, before resizing and turning upright.
        height: pixels down.
        format: ``PNG``, ``JPEG``, ``TIFF``, ``BMP``, ``WebP``, ``JPEG 2000`` or ``DICOM``.
        metadata: kinds of descriptive data found and dropped: ``exif``, ``text``, ``xmp``, ….
        pages_left_out: further pictures in the file, of which none is used.
        dicom: what is kept of a DICOM header, None for other formats.
        flags: ``low_contrast``, ``secondary_capture``.
    """

    pixels: Levels
    depth: int | None
    high: float
    group: str
    width: int
    height: int
    format: str
    metadata: tuple[str, ...] = ()
    pages_left_out: int = 0
    dicom: DicomFacts | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecodeLimits:
    """Limits of the children that decode.

    Attributes:
        seconds: wall-clock time for one picture, without waiting for memory.
        cpu_seconds: processor time for one picture.
        address_space: bytes that one child may map (Linux).
        decoded_bytes: bytes that all children together may hold decoded at once; a picture that
            needs more is decoded while the other children hold none.
        waiting_bytes: bytes of files that were submitted and are not decoded yet; `submit` waits.
    """

    seconds: float = 20.0
    cpu_seconds: int = 20
    address_space: int = 1 << 30
    decoded_bytes: int = 160 << 20
    waiting_bytes: int = 64 << 20


def check_size(width: int, height: int) -> None:
    """Refuse a picture of too many or too few pixels, before it is decoded.

    Raises:
        FileError: ``too_large`` or ``too_small``.
    """
    if width * height > MOST_PIXELS:
        raise FileError(
            "too_large",
            f"It has more than {MOST_PIXELS // 1_000_000} million pixels; export it smaller.",
        )
    if min(width, height) < SHORTEST_SIDE:
        raise FileError(
            "too_small",
            f"Its shorter side has fewer than {SHORTEST_SIDE} pixels; "
            "export the picture at its full size.",
        )


def truncated() -> FileError:
    """Return the error of a file whose pixels cannot be decoded to the end."""
    return FileError("truncated", "The picture is damaged or cut short; export it again.")

"""Reads the orientation of a picture from its EXIF data, and nothing else."""

from __future__ import annotations

from PIL import Image

_ORIENTATION = 0x0112


def orientation_of(data: bytes) -> int:
    """Return 1…8; 1, upright, also where the data are damaged."""
    exif = Image.Exif()
    try:
        exif.load(data.removeprefix(b"Exif\0\0"))
        orientation = exif.get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF fails in many ways and costs no picture
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1

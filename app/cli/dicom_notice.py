"""Looks whether an archive holds DICOM, of which the headers would travel. Base install only."""

import tarfile
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

NOTICE = (
    "The archive holds DICOM files, whose headers name patients and would travel to the portal. "
    "To leave them here: exchange upload {archive} --prepare"
)
_MOST_FILES = 40
_HEAD = 132
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".jp2", ".csv", ".txt")
_DICOM = (".dcm", ".dicom", ".ima")


def holds_dicom(archive: Path) -> bool:
    """Whether one of the first files is DICOM, by its name or its first bytes."""
    try:
        heads = _zip_heads(archive) if zipfile.is_zipfile(archive) else _tar_heads(archive)
        return any(_is_dicom(name, head) for name, head in islice(heads, _MOST_FILES))
    # An archive that Python's own modules cannot read says nothing; the portal will look.
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, tarfile.TarError):
        return False


def _is_dicom(name: str, head: bytes) -> bool:
    lower = name.lower()
    return lower.endswith((*_DICOM, "dicomdir")) or head[128:132] == b"DICM"


def _zip_heads(archive: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as opened:
        # Names cost nothing: look for the telling ones first.
        files = [info for info in opened.infolist() if not info.is_dir()]
        files.sort(key=lambda info: not info.filename.lower().endswith((*_DICOM, "dicomdir")))
        for info in files:
            if info.filename.lower().endswith(_PICTURES):
                continue
            with opened.open(info) as file:
                yield info.filename, file.read(_HEAD)


def _tar_heads(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isfile():
                file: IO[bytes] | None = opened.extractfile(member)
                yield member.name, file.read(_HEAD) if file else b""

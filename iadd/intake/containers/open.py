"""Opens an archive or a folder, whatever its name says it is.

Archives are not trusted. An entry's name never becomes a path: entries are read into memory, one
at a time, and sizes are counted while reading instead of taken from headers. `Limits` bounds the
cost of a hostile archive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from iadd.intake.containers.archive import Archive
from iadd.intake.containers.file_names import check_encoding
from iadd.intake.containers.folder import open_folder
from iadd.intake.containers.limits import DEFAULT_LIMITS, Limits
from iadd.intake.containers.refusals import empty_archive, not_an_archive
from iadd.intake.containers.tar_archive import is_packed, open_tar
from iadd.intake.containers.tar_headers import BLOCK, looks_like_tar
from iadd.intake.containers.zip_archive import open_zip

_UNPACK_FIRST = "Unpack it first."
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06", b"PK00PK\x03\x04", b"PK\x07\x08PK\x03\x04")
_OTHER_FORMATS = (
    (b"7z\xbc\xaf\x27\x1c", f"This is a 7-Zip archive. {_UNPACK_FIRST}"),
    (b"Rar!", f"This is a RAR archive. {_UNPACK_FIRST}"),
    (b"LZIP", f"This is an lzip file. {_UNPACK_FIRST}"),
    (b"\x04\x22\x4d\x18", f"This is an LZ4 file. {_UNPACK_FIRST}"),
    (b"\x1f\x9d", f"This is a file packed by compress. {_UNPACK_FIRST}"),
    (b"MSCF", f"This is a Windows cabinet file. {_UNPACK_FIRST}"),
    (b"\x89PNG", "This is a single picture."),
    (b"\xff\xd8\xff", "This is a single picture."),
    (b"%PDF", "This is a PDF document."),
    (b"version https://git-lfs", "This is a Git LFS pointer; the file itself is elsewhere."),
)


@contextmanager
def open_archive(
    source: Path, limits: Limits = DEFAULT_LIMITS, *, encoding: str | None = None
) -> Iterator[Archive]:
    """Open a zip; a tar, plain or packed by gzip, bzip2, xz or Zstandard; or a folder.

    Args:
        source: The file or folder.
        limits: Limits on the cost of reading.
        encoding: The encoding of names that are not UTF-8; None guesses it from all of them.

    Raises:
        DatasetError: ``not_an_archive``, ``empty_archive``, ``unknown_encoding``,
            ``unreadable_folder``, ``damaged_archive`` or ``archive_too_large``; the latter two also
            while entries are read.
        OSError: when there is nothing at `source`, or it cannot be opened.
    """
    if encoding is not None:
        check_encoding(encoding)
    if source.is_dir():
        yield open_folder(source, limits, encoding)
        return
    with source.open("rb") as file:
        opener = _opener_for(file.read(BLOCK))
        file.seek(0)
        yield opener(file, limits, encoding)


def _opener_for(head: bytes) -> Callable[[BinaryIO, Limits, str | None], Archive]:
    if not head:
        raise empty_archive()
    if head.startswith(_ZIP_MAGICS):
        return open_zip
    if is_packed(head) or looks_like_tar(head):
        return open_tar
    raise not_an_archive(_describe_format(head))


def _describe_format(head: bytes) -> str:
    for magic, description in _OTHER_FORMATS:
        if head.startswith(magic):
            return description
    if head.startswith(b"PK\x07\x08"):
        return "This is one part of a zip archive that was split into several."
    if head[128:132] == b"DICM":
        return "This is a single DICOM file."
    return "The file is neither a zip nor a tar archive."

"""Reads zip, tar and tar.gz archives and plain folders.

Archives are not trusted. An entry's name never becomes a path: entries are read into memory, one
at a time, and sizes are counted while reading instead of taken from headers. `Limits` bounds the
cost of a hostile archive.
"""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from iadd.intake.containers.bounded_io import CappedReader, CountingStream
from iadd.intake.errors import DatasetError, FileError

_MEBIBYTE = 1 << 20
_CHUNK = 256 * 1024
# Compression is judged from this size on: a few kilobytes of black compress a thousandfold too.
_RATIO_FLOOR = 4 * _MEBIBYTE
# In a zip's central directory an entry takes 46 bytes and its name.
_DIRECTORY_BYTES_PER_ENTRY = 256
# Deflate64, bzip2 and lzma cannot be unpacked with a bound on what one call returns.
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_PACK_AGAIN = "Pack the class folders as .zip, .tar or .tar.gz and upload again."


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on the cost of reading one archive.

    Attributes:
        entries: entries in the archive, folders and rejected ones included.
        entry_bytes: unpacked bytes of one entry; a larger one is rejected alone.
        total_bytes: unpacked bytes of all entries together.
        ratio: unpacked bytes per packed byte, of an entry and of the whole archive. Deflate
            reaches 1,032; radiographs stay below 10.
    """

    entries: int = 200_000
    entry_bytes: int = 64 * _MEBIBYTE
    total_bytes: int = 64 * 1024 * _MEBIBYTE
    ratio: float = 200.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Entry:
    """One file of an archive.

    Attributes:
        name: as the archive has it: untrusted, possibly unprintable, never a path.
        position: how far into the archive this entry is, in the archive's unit.
        read: returns its whole content, at most `Limits.entry_bytes` long; raises `FileError`.
            Call it before reading the next entry.
    """

    name: str
    position: int
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Archive:
    """An opened archive.

    Attributes:
        entries: each file once, folders left out; raises `DatasetError` when a limit is passed or
            the archive turns out to be damaged.
        total: the last position, at least 1.
        unit: what positions count: ``files``, or ``bytes`` where the number of files is known only
            at the end.
    """

    entries: Iterator[Entry]
    total: int
    unit: str


@contextmanager
def open_archive(source: Path, limits: Limits = DEFAULT_LIMITS) -> Iterator[Archive]:
    """Open a zip, tar or tar.gz file, or a folder.

    Raises:
        DatasetError: ``not_an_archive``, ``empty_archive``, ``damaged_archive`` or
            ``archive_too_large``; the latter two also while entries are read.
        OSError: when there is nothing at `source`, or it cannot be opened.
    """
    if source.is_dir():
        yield _open_folder(source, limits)
        return
    with source.open("rb") as file:
        opener = _opener_for(file.read(512))
        file.seek(0)
        try:
            yield opener(file, limits)
        except (
            zipfile.BadZipFile,
            tarfile.TarError,
            gzip.BadGzipFile,
            zlib.error,
            EOFError,
            NotImplementedError,  # parts of a split zip, and versions of zip to come
            RecursionError,  # tarfile follows a chain of extended headers by recursion
        ) as error:
            raise _damaged() from error


def _opener_for(head: bytes) -> Callable[[BinaryIO, Limits], Archive]:
    if not head:
        raise DatasetError(
            "empty_archive", "The file is empty", f"The file holds no bytes. {_PACK_AGAIN}"
        )
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _open_zip
    if head.startswith(b"\x1f\x8b"):
        return _open_tar_gz
    if _is_tar(head):
        return _open_tar
    raise _not_an_archive(_describe_format(head))


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _describe_format(head: bytes) -> str:
    for magic, description in (
        (b"7z\xbc\xaf\x27\x1c", "This is a 7-Zip archive."),
        (b"Rar!", "This is a RAR archive."),
        (b"\xfd7zXZ", "This is an xz file."),
        (b"BZh", "This is a bzip2 file."),
        (b"\x28\xb5\x2f\xfd", "This is a Zstandard file."),
        (b"\x89PNG", "This is a single picture."),
        (b"\xff\xd8\xff", "This is a single picture."),
    ):
        if head.startswith(magic):
            return description
    if head[128:132] == b"DICM":
        return "This is a single DICOM file."
    return "The file is neither a zip nor a tar archive."


# ---------------------------------------------------------------------------------------- errors


def _not_an_archive(what: str) -> DatasetError:
    title = "The file is not an archive that can be read"
    return DatasetError("not_an_archive", title, f"{what} {_PACK_AGAIN}")


def _damaged() -> DatasetError:
    return DatasetError(
        "damaged_archive",
        "The archive is damaged or cut short",
        "The archive cannot be read to its end. Test it where it was made, pack it again if that "
        "fails, and upload it again.",
    )


def _too_large(what: str) -> DatasetError:
    return DatasetError(
        "archive_too_large",
        "The archive is beyond the limits of the intake",
        f"{what} Split the dataset, or ask the operator to raise the limit.",
    )


def _too_many_entries(limits: Limits) -> DatasetError:
    return _too_large(f"The archive holds more than {limits.entries:,} entries.")


def _too_many_bytes(limits: Limits) -> DatasetError:
    return _too_large(f"The archive unpacks to more than {limits.total_bytes:,} bytes.")


def _check_entry(size: int, packed: int | None, limits: Limits) -> None:
    if size > limits.entry_bytes:
        mebibytes = limits.entry_bytes / _MEBIBYTE
        raise FileError("too_large", f"It is larger than {mebibytes:g} MiB unpacked.")
    if packed is not None and size > max(_RATIO_FLOOR, packed * limits.ratio):
        raise FileError(
            "inflated",
            f"It unpacks to more than {limits.ratio:g} times its packed size, which radiographs "
            "never do.",
        )


def _not_a_file() -> FileError:
    return FileError("not_a_file", "It is a link or a device; links are not followed.")


def _total_budget(packed: int, limits: Limits) -> int:
    return min(limits.total_bytes, int(max(_RATIO_FLOOR, packed * limits.ratio)))


def _over_total(packed: int, limits: Limits) -> DatasetError:
    if _total_budget(packed, limits) == limits.total_bytes:
        return _too_many_bytes(limits)
    return _too_large(
        f"The archive unpacks to more than {limits.ratio:g} times its own size, which "
        "radiographs never do."
    )


# ------------------------------------------------------------------------------------------- zip


def _open_zip(file: BinaryIO, limits: Limits) -> Archive:
    packed = os.fstat(file.fileno()).st_size
    capped = CappedReader(
        file,
        # zipfile reads the central directory in one piece, before the number of entries is known.
        longest_read=max(_MEBIBYTE, limits.entries * _DIRECTORY_BYTES_PER_ENTRY),
        failure=lambda: _too_many_entries(limits),
    )
    archive = zipfile.ZipFile(cast(BinaryIO, capped))
    if len(archive.infolist()) > limits.entries:
        raise _too_many_entries(limits)
    infos = [info for info in archive.infolist() if not info.is_dir()]
    # zipfile never returns more of an entry than its header declares, so the sum is a bound.
    if sum(info.file_size for info in infos) > _total_budget(packed, limits):
        raise _over_total(packed, limits)
    if sum(info.compress_size for info in infos) > packed:
        raise _damaged()  # entries that overlap: one stream, counted many times
    entries = (
        Entry(info.filename, position, partial(_read_zip, archive, info, limits))
        for position, info in enumerate(infos, start=1)
    )
    return Archive(entries, max(1, len(infos)), "files")


def _read_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits) -> bytes:
    # The upper half of the attributes holds a Unix mode where a Unix tool packed the archive.
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise _not_a_file()
    if info.flag_bits & _ENCRYPTED:
        raise FileError("encrypted", "It is encrypted; pack the archive without a password.")
    if info.compress_type not in _ZIP_METHODS:
        raise FileError(
            "compression_method",
            "It is packed by a method other than the ordinary one (deflate); pack it again.",
        )
    _check_entry(info.file_size, info.compress_size, limits)
    content = bytearray()
    try:
        with archive.open(info) as unpacked:
            # In pieces: a single read would make zipfile unpack past the declared size.
            while piece := unpacked.read(_CHUNK):
                content += piece
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise FileError("damaged", "Its bytes in the archive are damaged.") from error
    if len(content) != info.file_size:
        raise FileError("damaged", "It is shorter than the archive says.")
    return bytes(content)


# ------------------------------------------------------------------------------------------- tar


def _open_tar(file: BinaryIO, limits: Limits) -> Archive:
    return _open_tar_stream(file, file, limits)


def _open_tar_gz(file: BinaryIO, limits: Limits) -> Archive:
    stream = gzip.GzipFile(fileobj=file)
    if not _is_tar(stream.peek(512)):
        raise _not_an_archive("This is a gzip file with no tar archive in it.")
    return _open_tar_stream(file, cast(BinaryIO, stream), limits)


def _open_tar_stream(file: BinaryIO, stream: BinaryIO, limits: Limits) -> Archive:
    packed = os.fstat(file.fileno()).st_size
    counted = CountingStream(
        stream,
        longest_read=_MEBIBYTE,
        budget=_total_budget(packed, limits),
        damaged=_damaged,
        over_budget=lambda: _over_total(packed, limits),
    )
    archive = tarfile.open(fileobj=cast(BinaryIO, counted), mode="r:")  # noqa: SIM115 - no file of its own
    return Archive(_tar_entries(archive, counted, file, limits), max(1, packed), "bytes")


def _tar_entries(
    archive: tarfile.TarFile, counted: CountingStream, file: BinaryIO, limits: Limits
) -> Iterator[Entry]:
    count = 0
    while (member := archive.next()) is not None:
        # tarfile remembers every header that it has seen; the stubs leave the attribute out.
        archive.members.clear()  # type: ignore[attr-defined]
        count += 1
        if count > limits.entries:
            raise _too_many_entries(limits)
        if not member.isdir():
            yield Entry(member.name, file.tell(), partial(_read_tar, archive, member, limits))
    # tarfile takes a header that it cannot parse as the end; a real end is a block of zeros.
    if any(counted.last_read):
        raise _damaged()


def _read_tar(archive: tarfile.TarFile, member: tarfile.TarInfo, limits: Limits) -> bytes:
    if not member.isreg() or member.issparse():
        raise _not_a_file()
    _check_entry(member.size, None, limits)
    unpacked = archive.extractfile(member)
    content = bytearray()
    while unpacked is not None and (piece := unpacked.read(_CHUNK)):
        content += piece
    if len(content) != member.size:
        raise _damaged()
    return bytes(content)


# ---------------------------------------------------------------------------------------- folder


def _open_folder(folder: Path, limits: Limits) -> Archive:
    paths: list[Path] = []
    for parent, _, names in os.walk(folder):  # links to folders are not followed
        paths.extend(Path(parent) / name for name in names)
        if len(paths) > limits.entries:
            raise _too_many_entries(limits)
    return Archive(_folder_entries(folder, sorted(paths), limits), max(1, len(paths)), "files")


def _folder_entries(folder: Path, paths: list[Path], limits: Limits) -> Iterator[Entry]:
    total = 0
    for position, path in enumerate(paths, start=1):
        status = path.lstat()
        total += status.st_size
        if total > limits.total_bytes:
            raise _too_many_bytes(limits)
        name = path.relative_to(folder).as_posix()
        yield Entry(name, position, partial(_read_file, path, status, limits))


def _read_file(path: Path, status: os.stat_result, limits: Limits) -> bytes:
    if not stat.S_ISREG(status.st_mode):
        raise _not_a_file()
    _check_entry(status.st_size, None, limits)
    return path.read_bytes()

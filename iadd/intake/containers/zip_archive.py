"""Reads zip archives, one entry at a time, in every common method of packing."""

from __future__ import annotations

import os
import stat
import struct
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO

from iadd.intake.containers import decompressors, file_names
from iadd.intake.containers.archive import Archive, Entry
from iadd.intake.containers.bounded_io import CHUNK
from iadd.intake.containers.decompressors import UNPACKING_ERRORS, Decompressor
from iadd.intake.containers.file_names import NamePool
from iadd.intake.containers.limits import MEBIBYTE, Limits
from iadd.intake.containers.refusals import (
    damaged_archive,
    damaged_file,
    not_a_file,
    too_many_entries,
)
from iadd.intake.containers.zip_directory import Directory, Record, find_directory, read_records
from iadd.intake.errors import FileError

# In the directory an entry takes 46 bytes and its name.
_DIRECTORY_BYTES_PER_ENTRY = 256
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # the entry, strongly, the directory
_PATCH = 0x20
_UTF8 = 0x800
_STORED = 0
_AES = 99
_LOCAL = struct.Struct("<4s22xHH")
_LOCAL_MAGIC = b"PK\x03\x04"

_DECOMPRESSORS: dict[int, Callable[[int], Decompressor]] = {
    8: lambda size: decompressors.inflate(),
    9: lambda size: decompressors.Inflate64(),
    12: lambda size: decompressors.bunzip2(),
    14: decompressors.ZipLzma,
    93: lambda size: decompressors.unzstd(),
    95: lambda size: decompressors.unxz(),
}


def open_zip(file: BinaryIO, limits: Limits, encoding: str | None) -> Archive:
    """Open a zip.

    Raises:
        DatasetError: ``damaged_archive``, ``archive_too_large`` or ``not_an_archive``.
    """
    packed = os.fstat(file.fileno()).st_size
    directory = find_directory(file)
    if directory.size > max(MEBIBYTE, limits.entries * _DIRECTORY_BYTES_PER_ENTRY):
        raise too_many_entries(limits.entries)
    files = packed_sum = size_sum = 0
    offsets = array("Q")
    untold, flagged = NamePool(), NamePool()
    for count, record in enumerate(read_records(file, directory), start=1):
        if count > limits.entries:
            raise too_many_entries(limits.entries)
        if not record.is_folder:
            files += 1
            packed_sum += record.packed
            size_sum += record.size if record.size <= limits.entry_bytes else 0
        if record.offset < directory.start:
            offsets.append(record.offset)
        if record.unicode_name is None:
            (flagged if record.flags & _UTF8 else untold).add(record.raw_name)
    # No entry is unpacked past the size that it declares, and none that declares too much is, so
    # the sum is a bound.
    if size_sum > limits.total_budget(packed):
        raise limits.over_total(packed)
    if packed_sum > packed:
        raise damaged_archive()  # entries that overlap: one stream, counted many times
    # Some tools set the flag for UTF-8 and write another encoding all the same.
    flag_lies = flagged.others > flagged.utf8
    if flag_lies:
        untold.take(flagged)
    guess = untold.guess()
    starts = array("Q", sorted(offsets))
    reader = _Reader(file, directory, starts, limits)
    names = file_names.NameDecoder(encoding, guess)
    folders: list[str] = []
    entries = _entries(reader, names, folders, flag_lies=flag_lies)
    return Archive(entries, max(1, files), "files", folders, lambda: guess)


def _entries(
    reader: _Reader, names: file_names.NameDecoder, folders: list[str], *, flag_lies: bool
) -> Iterator[Entry]:
    position = 0
    for record in read_records(reader.file, reader.directory):
        position += not record.is_folder
        if record.unicode_name is not None:
            name = file_names.decode_utf8(record.unicode_name)
        elif record.flags & _UTF8 and not flag_lies:
            name = file_names.decode_utf8(record.raw_name)
        else:
            name = names.decode(record.raw_name)
        # Some tools of Windows write folders with a backslash at the end.
        if record.is_folder or (name.endswith("/") and record.size == 0):
            folders.append(name)
            continue
        yield Entry(name, record.size, position, partial(reader.read, record))


class _Reader:
    """Reads the content of entries."""

    def __init__(
        self, file: BinaryIO, directory: Directory, starts: array[int], limits: Limits
    ) -> None:
        self.file = file
        self.directory = directory
        self._starts = starts
        self._limits = limits

    def read(self, record: Record) -> bytes:
        """Return the content of an entry.

        Raises:
            FileError: ``not_a_file``, ``encrypted``, ``compression_method``, ``too_large``,
                ``inflated`` or ``damaged``.
        """
        if stat.S_IFMT(record.mode) not in (0, stat.S_IFREG):
            raise not_a_file()
        if record.flags & _ENCRYPTED or record.method == _AES:
            raise FileError("encrypted", "It is encrypted; pack the archive without a password.")
        known = record.method == _STORED or record.method in _DECOMPRESSORS
        if not known or record.flags & _PATCH:
            raise FileError(
                "compression_method",
                "It is packed by a method that is not read here; pack it again as ordinary zip "
                "(Deflate), or upload the folder itself with “exchange upload FOLDER”.",
            )
        self._limits.check_entry(record.size, record.packed)
        self._find_content(record)
        if record.method == _STORED:
            content = self.file.read(record.size) if record.packed == record.size else b""
        else:
            content = self._unpack(record)
        if len(content) != record.size:
            raise FileError(
                "damaged", "It is longer or shorter than the archive says; pack it again."
            )
        if zlib.crc32(content) != record.checksum:
            raise damaged_file()
        return content

    def _find_content(self, record: Record) -> None:
        """Go to the first packed byte; refuse an entry that reaches into the next one."""
        after = bisect_right(self._starts, record.offset)
        end = self._starts[after] if after < len(self._starts) else self.directory.start
        shared = after >= 2 and self._starts[after - 2] == record.offset
        if shared or record.offset + _LOCAL.size > end:
            raise damaged_file()
        self.file.seek(record.offset)
        magic, name_length, extra_length = _LOCAL.unpack(self.file.read(_LOCAL.size))
        start = record.offset + _LOCAL.size + name_length + extra_length
        if magic != _LOCAL_MAGIC or start + record.packed > end:
            raise damaged_file()
        self.file.seek(start)

    def _unpack(self, record: Record) -> bytes:
        content = bytearray()
        left = record.packed
        decompressor = _DECOMPRESSORS[record.method](record.size)
        try:
            # One byte more than declared is asked for, so that a longer entry is noticed.
            while len(content) <= record.size and not decompressor.eof:
                packed = b""
                if decompressor.needs_input:
                    packed = self.file.read(min(left, CHUNK))
                    left -= len(packed)
                    if not packed:
                        break
                content += decompressor.decompress(
                    packed, min(CHUNK, record.size + 1 - len(content))
                )
        except UNPACKING_ERRORS as error:
            raise damaged_file() from error
        return bytes(content)

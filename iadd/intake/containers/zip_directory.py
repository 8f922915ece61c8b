"""Reads the central directory of a zip: what lies where, with names as bytes.

The directory is read in pieces and kept nowhere, so 200,000 entries take no more memory than ten.
Format: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5 (https://pkware.com/appnote).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from iadd.intake.containers.bounded_io import CHUNK
from iadd.intake.containers.refusals import damaged_archive, not_an_archive

_END = struct.Struct("<4s4H2LH")
_END_MAGIC = b"PK\x05\x06"
_LONGEST_COMMENT = 0xFFFF
_LOCATOR = struct.Struct("<4sLQL")
_LOCATOR_MAGIC = b"PK\x06\x07"
_END_64 = struct.Struct("<4sQ2H2L4Q")
_END_64_MAGIC = b"PK\x06\x06"
_RECORD = struct.Struct("<4s6H3L5H2L")
_RECORD_MAGIC = b"PK\x01\x02"
# A record with the longest name, extra fields and comment.
_LONGEST_RECORD = _RECORD.size + 3 * 0xFFFF
_ZIP64_FIELD = 0x0001
_UNICODE_NAME_FIELD = 0x7075
_WRAP = 1 << 32
_IN_ZIP64_16 = 0xFFFF
_IN_ZIP64_32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the directory.

    Attributes:
        raw_name: as it is stored, in an encoding that is seldom told.
        unicode_name: UTF-8 bytes of the Unicode path field; None where it is missing or belongs to
            another name.
        flags: general purpose flags.
        method: how it is packed.
        checksum: CRC-32 of the unpacked bytes.
        packed: number of packed bytes.
        size: number of unpacked bytes.
        offset: where its local header lies in the file.
        mode: Unix mode where a Unix tool packed it, otherwise 0.
    """

    raw_name: bytes
    unicode_name: bytes | None
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    offset: int
    mode: int

    @property
    def is_folder(self) -> bool:
        """Whether it stands for a folder; no encoding has ``/`` inside a character."""
        return self.size == 0 and self.raw_name.endswith(b"/")


@dataclass(frozen=True)
class Directory:
    """Where the directory of a zip lies.

    Attributes:
        start: its first byte in the file.
        size: its length in bytes.
        shift: bytes in front of the zip that its own offsets do not count.
        wraps: whether offsets begin again at 0 after 4 GiB. macOS packs large folders so.
    """

    start: int
    size: int
    shift: int
    wraps: bool


def find_directory(file: BinaryIO) -> Directory:
    """Find the directory from the end of the file.

    Raises:
        DatasetError: ``damaged_archive``; ``not_an_archive`` for one part of several.
    """
    length = file.seek(0, os.SEEK_END)
    tail_start = max(0, length - _END.size - _LONGEST_COMMENT)
    file.seek(tail_start)
    tail = file.read(length - tail_start)
    at = tail.rfind(_END_MAGIC)
    while at >= 0 and not _end_fits(tail, at):
        at = tail.rfind(_END_MAGIC, 0, at)
    if at < 0:
        raise damaged_archive()
    _, disk, first_disk, _, count, size, offset, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    if _IN_ZIP64_32 in (size, offset) or _IN_ZIP64_16 in (disk, count):
        end, disk, first_disk, size, offset = _zip64_end(file, end) or (
            end,
            disk,
            first_disk,
            size,
            offset,
        )
    if disk != 0 or first_disk != 0:
        raise not_an_archive("This is one part of a zip archive that was split into several.")
    start = end - size
    if start < 0 or start < offset:
        raise damaged_archive()
    shift = start - offset
    wraps = shift > 0 and shift % _WRAP == 0
    return Directory(start, size, 0 if wraps else shift, wraps)


def _end_fits(tail: bytes, at: int) -> bool:
    if at + _END.size > len(tail):
        return False
    comment = int.from_bytes(tail[at + _END.size - 2 : at + _END.size], "little")
    return at + _END.size + comment <= len(tail)


def _zip64_end(file: BinaryIO, end: int) -> tuple[int, int, int, int, int] | None:
    """Return where the large end record lies, and its disk, first disk, size and offset."""
    if end < _LOCATOR.size + _END_64.size:
        return None
    file.seek(end - _LOCATOR.size)
    magic, _, claimed, disks = _LOCATOR.unpack(file.read(_LOCATOR.size))
    if magic != _LOCATOR_MAGIC:
        return None
    if disks > 1:
        raise not_an_archive("This is one part of a zip archive that was split into several.")
    # Bytes in front of the zip shift the record; without extensions it ends at its locator.
    for at in (claimed, end - _LOCATOR.size - _END_64.size):
        if at <= end - _LOCATOR.size - _END_64.size:
            file.seek(at)
            fields = _END_64.unpack(file.read(_END_64.size))
            if fields[0] == _END_64_MAGIC:
                _, _, _, _, disk, first_disk, _, _, size, offset = fields
                return at, disk, first_disk, size, offset
    raise damaged_archive()


def read_records(file: BinaryIO, directory: Directory) -> Iterator[Record]:
    """Read the directory from its start; the file may be read elsewhere in between.

    Raises:
        DatasetError: ``damaged_archive`` at the first record that is none.
    """
    pending = b""
    wrapped = latest = 0
    position, left = directory.start, directory.size
    while left or pending:
        if left and len(pending) < _LONGEST_RECORD:
            file.seek(position)
            piece = file.read(min(left, CHUNK))
            if not piece:
                raise damaged_archive()
            position, left = position + len(piece), left - len(piece)
            pending += piece
        at = 0
        while at < len(pending) and (not left or len(pending) - at >= _LONGEST_RECORD):
            record, at = _read_record(pending, at, directory.shift)
            if directory.wraps:
                # Entries lie in the order of the directory, so a step back is a turn.
                wrapped += _WRAP if record.offset < latest else 0
                latest = record.offset
                record = replace(record, offset=record.offset + wrapped)
            yield record
        pending = pending[at:]


def _read_record(data: bytes, at: int, shift: int) -> tuple[Record, int]:
    if at + _RECORD.size > len(data):
        raise damaged_archive()
    fields = _RECORD.unpack_from(data, at)
    magic, _, _, flags, method, _, _, checksum, packed, size = fields[:10]
    name_length, extra_length, comment_length, _, _, attributes, offset = fields[10:]
    name_end = at + _RECORD.size + name_length
    extra_end = name_end + extra_length
    end = extra_end + comment_length
    if magic != _RECORD_MAGIC or end > len(data):
        raise damaged_archive()
    raw_name = data[at + _RECORD.size : name_end]
    unicode_name = None
    if extra_length:
        extra = _extra_fields(data[name_end:extra_end])
        unicode_name = _unicode_name(extra.get(_UNICODE_NAME_FIELD, b""), raw_name)
        size, packed, offset = _large_numbers(extra.get(_ZIP64_FIELD, b""), (size, packed, offset))
    # Tools of Windows and DOS write attributes of their own into the lower half alone.
    mode = attributes >> 16
    record = Record(
        raw_name, unicode_name, flags, method, checksum, packed, size, offset + shift, mode
    )
    return record, end


def _extra_fields(extra: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        fields.setdefault(kind, extra[at + 4 : at + 4 + length])
        at += 4 + length
    return fields


def _unicode_name(field: bytes, raw_name: bytes) -> bytes | None:
    """Return the name of a Unicode path field when the checksum of the stored name fits."""
    if len(field) <= 5 or field[0] != 1:
        return None
    matches = int.from_bytes(field[1:5], "little") == zlib.crc32(raw_name)
    return field[5:] if matches else None


def _large_numbers(field: bytes, numbers: tuple[int, int, int]) -> tuple[int, int, int]:
    """Fill in size, packed size and offset where the record says that they are too large for it."""
    filled = []
    for number in numbers:
        if number == _IN_ZIP64_32 and len(field) >= 8:
            number, field = int.from_bytes(field[:8], "little"), field[8:]
        filled.append(number)
    return filled[0], filled[1], filled[2]

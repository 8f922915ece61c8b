"""Canonical zip container of bundles: written and checked byte for byte.

A zip of stored entries, one after the other from the first byte on, dated 1980-01-01, without
comments, extra fields or gaps. The container is therefore known from the names, sizes and
checksums of what it holds, and is compared byte for byte: there is no place left where something
could be hidden, and nothing is unpacked that could be a bomb.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

LONGEST_NAME = 512
"""In bytes."""

MOST_FILES = 0xFFFF - 1
"""A zip counts its files in 16 bits, and the last number means that they are counted elsewhere."""
LARGEST_BYTES = 0xFFFFFFFF - 1
"""… and its bytes in 32."""

_LARGEST_DIRECTORY = 16 * 1024 * 1024
_CHUNK = 1024 * 1024

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_VERSION = 20
_MADE_BY_UNIX = 3 << 8 | _VERSION
_UTF8_NAME = 0x800
_STORED = 0
_TIME, _DATE = 0, 1 << 5 | 1  # 1980-01-01 00:00:00, the earliest that zip can say
_ATTRIBUTES = 0o100644 << 16


class DamagedError(Exception):
    """The bundle was modified. The message names the place."""


class UnreadableError(Exception):
    """The file cannot be read as a bundle."""


@dataclass(frozen=True)
class Entry:
    """One file of the zip, as the central directory lists it."""

    name: str
    raw_name: bytes
    checksum: int
    size: int
    offset: int

    @property
    def flags(self) -> int:
        return 0 if self.raw_name.isascii() else _UTF8_NAME

    def local_header(self) -> bytes:
        return (
            _LOCAL.pack(
                *(_LOCAL_MAGIC, _VERSION, self.flags, _STORED, _TIME, _DATE),
                *(self.checksum, self.size, self.size, len(self.raw_name), 0),
            )
            + self.raw_name
        )

    def central_header(self) -> bytes:
        return (
            _CENTRAL.pack(
                *(_CENTRAL_MAGIC, _MADE_BY_UNIX, _VERSION, self.flags, _STORED, _TIME, _DATE),
                *(self.checksum, self.size, self.size, len(self.raw_name), 0, 0, 0, 0),
                *(_ATTRIBUTES, self.offset),
            )
            + self.raw_name
        )


def write_container(files: Mapping[str, bytes]) -> bytes:
    """Pack files in the order given.

    Raises:
        DamagedError: When a name is forbidden, or there are too many files or bytes.
    """
    if not files:
        raise DamagedError("it holds no file.")
    if len(files) > MOST_FILES or sum(map(len, files.values())) > LARGEST_BYTES - (1 << 24):
        raise DamagedError("it is too large.")
    packed, directory = bytearray(), bytearray()
    for name, content in files.items():
        raw_name = name.encode()
        decode_name(raw_name)
        entry = Entry(name, raw_name, zlib.crc32(content), len(content), len(packed))
        packed += entry.local_header() + content
        directory += entry.central_header()
    end = _END.pack(_END_MAGIC, 0, 0, len(files), len(files), len(directory), len(packed), 0)
    return bytes(packed + directory + end)


def read_directory(file: BinaryIO) -> list[Entry]:
    """The entries, after comparing the whole container with the one form it may have.

    Raises:
        DamagedError: When the container is not in that form.
        UnreadableError: When this is no zip at all.
    """
    size = file.seek(0, 2)
    file.seek(0)
    starts_as_zip = file.read(len(_LOCAL_MAGIC)) == _LOCAL_MAGIC
    file.seek(max(0, size - _END.size))
    end = file.read(_END.size)
    if len(end) < _END.size or not end.startswith(_END_MAGIC):
        if starts_as_zip:
            raise DamagedError("its end is missing, or something follows it.")
        raise UnreadableError("this is not a bundle, nor any other zip file.")
    _, _, _, _, count, directory_size, directory_offset, _ = _END.unpack(end)
    if end != _END.pack(_END_MAGIC, 0, 0, count, count, directory_size, directory_offset, 0) or (
        directory_offset + directory_size + _END.size != size
    ):
        raise DamagedError("its directory does not fit the file.")
    if directory_size > _LARGEST_DIRECTORY:
        raise DamagedError("its directory is too large.")
    if count == 0:
        raise DamagedError("it holds no file.")
    file.seek(directory_offset)
    entries = list(_parse_directory(file.read(directory_size), count))
    _check_layout(entries, directory_offset)
    return entries


def read_entry(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """An entry's content in pieces, after comparing its header, and then its checksum.

    Raises:
        DamagedError: When either was changed.
    """
    expected = entry.local_header()
    file.seek(entry.offset)
    if file.read(len(expected)) != expected:
        raise DamagedError(f"the header of {entry.name} was changed.")
    checksum, left = 0, entry.size
    while left > 0:
        chunk = file.read(min(_CHUNK, left))
        if not chunk:
            raise DamagedError(f"{entry.name} ends too early.")
        checksum = zlib.crc32(chunk, checksum)
        left -= len(chunk)
        yield chunk
    if checksum != entry.checksum:
        raise DamagedError(f"{entry.name} was changed.")


def hash_entry(file: BinaryIO, entry: Entry) -> str:
    """The SHA-256 of an entry's content, in memory that does not grow with it.

    Raises:
        DamagedError: When the entry was changed.
    """
    digest = hashlib.sha256()
    for chunk in read_entry(file, entry):
        digest.update(chunk)
    return digest.hexdigest()


def decode_name(raw_name: bytes) -> str:
    """A file's name, when it is one that a bundle may hold: a path that stays in the bundle.

    Raises:
        DamagedError: When it is not.
    """
    try:
        name = raw_name.decode()
    except UnicodeDecodeError:
        raise DamagedError("a file's name is not text.") from None
    parts = name.split("/")
    if (
        len(raw_name) > LONGEST_NAME
        or not name.isprintable()
        or any(part in ("", ".", "..") for part in parts)
        or "\\" in name
        or ":" in name
    ):
        raise DamagedError(f"it holds a file with a forbidden name, {printable(name)}.")
    return name


def printable(name: str) -> str:
    """A name for one line of a terminal, whatever it is made of."""
    line = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name
    )
    return line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 1] + "…"


def _parse_directory(directory: bytes, count: int) -> Iterator[Entry]:
    position = 0
    for _ in range(count):
        header = directory[position : position + _CENTRAL.size]
        if len(header) < _CENTRAL.size:
            raise DamagedError("its directory ends too early.")
        fields = _CENTRAL.unpack(header)
        checksum, size, name_length, offset = fields[7], fields[8], fields[10], fields[16]
        begin = position + _CENTRAL.size
        raw_name = directory[begin : begin + name_length]
        entry = Entry(decode_name(raw_name), raw_name, checksum, size, offset)
        expected = entry.central_header()
        if directory[position : position + len(expected)] != expected:
            raise DamagedError(f"the directory's entry of {entry.name} was changed.")
        position += len(expected)
        yield entry
    if position != len(directory):
        raise DamagedError("its directory holds more than its files.")


def _check_layout(entries: list[Entry], end: int) -> None:
    offset = 0
    for entry in entries:
        if entry.offset != offset:
            raise DamagedError(f"{entry.name} does not follow the file before it.")
        offset += len(entry.local_header()) + entry.size
    if offset != end:
        raise DamagedError("there is something between its last file and its directory.")

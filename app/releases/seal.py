"""Whether a bundle is the one that was packed: every byte of it, without a network or torch.

A bundle has one form. It is a zip of stored entries, one after the other from the first byte on,
in the order of their names, dated 1980-01-01, without comments, extra fields or gaps; the last
entry, ``SHA256SUMS``, lists all others. The container itself is therefore known from the names,
sizes and checksums of what it holds, and is compared byte for byte: there is no place left where
something could be hidden, and nothing is unpacked that could be a bomb.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

GOOD, BAD, UNREADABLE = 0, 1, 2

SUMS = "SHA256SUMS"
_LARGEST_DIRECTORY = 16 * 1024 * 1024
_LARGEST_SUMS = 16 * 1024 * 1024
_LONGEST_NAME = 512
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
_SUM_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


class Verification(NamedTuple):
    """What a check found.

    Attributes:
        exit_code: 0 good, 1 damaged or forged, 2 cannot be read.
        lines: The same for people.
    """

    exit_code: int
    lines: list[str]


class _DamagedError(Exception):
    """The bundle is not as it was packed. The message says where."""


class _UnreadableError(Exception):
    """There is no bundle to judge."""


@dataclass(frozen=True)
class _Entry:
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


def verify_bundle(path: Path, trusted_key: str | None = None) -> Verification:
    """Check a bundle.

    Args:
        path: The bundle.
        trusted_key: The public key that the bundle has to be signed with. Bundles carry no
            signature yet, so with a key none is good.
    """
    shown = _printable(path.name)
    try:
        with path.open("rb") as file:
            count, fingerprint = _check(file)
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        return Verification(UNREADABLE, [f"{shown} cannot be read: {reason}."])
    except _UnreadableError as error:
        return Verification(UNREADABLE, [f"{shown} cannot be read: {error}"])
    except _DamagedError as error:
        return Verification(
            BAD,
            [
                f"{shown} is damaged or forged: {error}",
                "Do not use it. Download it again, or ask the sender for another copy.",
            ],
        )
    intact = f"{shown} is intact: {count} files are exactly as {SUMS} lists them."
    if trusted_key is not None:
        return Verification(
            BAD,
            [
                intact,
                "It is not signed, so the trusted key proves nothing about it. Do not use it.",
            ],
        )
    return Verification(
        GOOD,
        [
            intact,
            "Unknown signer: nothing in a bundle proves who made it. To be sure, compare this "
            "fingerprint with the one that the sender tells you by another way:",
            f"  {fingerprint}",
        ],
    )


def _check(file: BinaryIO) -> tuple[int, str]:
    """How many files the sums cover, and the sums' own hash. Raises what is wrong."""
    entries = _read_directory(file)
    *listed, last = entries
    if last.name != SUMS or any(entry.name == SUMS for entry in listed):
        raise _DamagedError(f"its last file is not {SUMS}.")
    if last.size > _LARGEST_SUMS:
        raise _DamagedError(f"{SUMS} is too large to be one.")
    hashes = {entry.name: _read_entry(file, entry) for entry in listed}
    file.seek(last.offset + len(last.local_header()))
    sums = file.read(last.size)
    fingerprint = _read_entry(file, last)
    if sums != "".join(f"{hashes[entry.name]}  {entry.name}\n" for entry in listed).encode():
        raise _DamagedError(_difference(sums, hashes))
    return len(listed), fingerprint


def _read_directory(file: BinaryIO) -> list[_Entry]:
    """The entries, after comparing the whole container with the one form it may have."""
    size = file.seek(0, 2)
    file.seek(0)
    starts_as_zip = file.read(len(_LOCAL_MAGIC)) == _LOCAL_MAGIC
    file.seek(max(0, size - _END.size))
    end = file.read(_END.size)
    if len(end) < _END.size or not end.startswith(_END_MAGIC):
        if starts_as_zip:
            raise _DamagedError("its end is missing, or something follows it.")
        raise _UnreadableError("this is not a bundle, nor any other zip file.")
    _, _, _, _, count, directory_size, directory_offset, _ = _END.unpack(end)
    if end != _END.pack(_END_MAGIC, 0, 0, count, count, directory_size, directory_offset, 0) or (
        directory_offset + directory_size + _END.size != size
    ):
        raise _DamagedError("its directory does not fit the file.")
    if directory_size > _LARGEST_DIRECTORY:
        raise _DamagedError("its directory is too large.")
    if count == 0:
        raise _DamagedError("it holds no file.")
    file.seek(directory_offset)
    entries = list(_parse_directory(file.read(directory_size), count))
    _check_layout(entries, directory_offset)
    return entries


def _parse_directory(directory: bytes, count: int) -> Iterator[_Entry]:
    position = 0
    for _ in range(count):
        header = directory[position : position + _CENTRAL.size]
        if len(header) < _CENTRAL.size:
            raise _DamagedError("its directory ends too early.")
        fields = _CENTRAL.unpack(header)
        checksum, size, name_length, offset = fields[7], fields[8], fields[10], fields[16]
        raw_name = directory[position + _CENTRAL.size :][:name_length]
        entry = _Entry(_decode(raw_name), raw_name, checksum, size, offset)
        expected = entry.central_header()
        if directory[position : position + len(expected)] != expected:
            raise _DamagedError(f"the directory's entry of {entry.name} was changed.")
        position += len(expected)
        yield entry
    if position != len(directory):
        raise _DamagedError("its directory holds more than its files.")


def _check_layout(entries: list[_Entry], end: int) -> None:
    offset = 0
    for entry in entries:
        if entry.offset != offset:
            raise _DamagedError(f"{entry.name} does not follow the file before it.")
        offset += len(entry.local_header()) + entry.size
    if offset != end:
        raise _DamagedError("there is something between its last file and its directory.")
    names = [entry.name for entry in entries[:-1]]
    if names != sorted(set(names)):
        raise _DamagedError("its files are not in order, or one is there twice.")


def _decode(raw_name: bytes) -> str:
    try:
        name = raw_name.decode()
    except UnicodeDecodeError:
        raise _DamagedError("a file's name is not text.") from None
    parts = name.split("/")
    if (
        len(raw_name) > _LONGEST_NAME
        or not name.isprintable()
        or any(part in ("", ".", "..") for part in parts)
        or "\\" in name
        or ":" in name
    ):
        raise _DamagedError(f"it holds a file with a forbidden name, {_printable(name)}.")
    return name


def _read_entry(file: BinaryIO, entry: _Entry) -> str:
    """The SHA-256 of an entry's content, after comparing its header and its checksum."""
    expected = entry.local_header()
    file.seek(entry.offset)
    if file.read(len(expected)) != expected:
        raise _DamagedError(f"the header of {entry.name} was changed.")
    digest, checksum, left = hashlib.sha256(), 0, entry.size
    while left > 0:
        chunk = file.read(min(_CHUNK, left))
        if not chunk:
            raise _DamagedError(f"{entry.name} ends too early.")
        digest.update(chunk)
        checksum = zlib.crc32(chunk, checksum)
        left -= len(chunk)
    if checksum != entry.checksum:
        raise _DamagedError(f"{entry.name} was changed.")
    return digest.hexdigest()


def _difference(sums: bytes, hashes: dict[str, str]) -> str:
    """Why the list of sums and the files do not agree."""
    lines = sums.decode(errors="replace").splitlines()
    matches = [_SUM_LINE.fullmatch(line) for line in lines]
    listed = {match[2]: match[1] for match in matches if match}
    for name, digest in hashes.items():
        if name not in listed:
            return f"{name} is not listed in {SUMS}."
        if listed[name] != digest:
            return f"{name} is not the file that {SUMS} lists."
    for name in listed:
        if name not in hashes:
            return f"{_printable(name)} is missing."
    return f"{SUMS} is not in the form that it is written in."


def _printable(name: str) -> str:
    line = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name
    )
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1] + "…"

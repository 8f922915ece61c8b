"""Reads the headers of a tar: which member comes next, with its name as bytes.

Formats: POSIX.1-1988 (ustar), POSIX.1-2001 (pax), GNU and the old one of Unix V7
(https://www.gnu.org/software/tar/manual/html_node/Standard.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from iadd.intake.containers.bounded_io import ForwardStream
from iadd.intake.containers.refusals import damaged_archive

BLOCK = 512
_CHECKSUM = slice(148, 156)
_LONGEST_EXTENSION = 1 << 20
# In front of one member: a global and a local pax header, a long name and a long link suffice.
_MOST_EXTENSIONS = 16
_LINKS_AND_DEVICES = b"12346"
_FOLDERS = b"5D"
_LONG_NAME = b"L"
_LONG_LINK = b"K"
_PAX = b"xX"
_PAX_GLOBAL = b"g"
_SPARSE = b"S"
_LABELS = b"VM"  # a volume's label; a file continued from another volume


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a tar.

    Attributes:
        raw_name: as it is stored, in an encoding that is not told.
        size: number of bytes of its content.
        is_file: whether it is an ordinary file; links, devices and sparse files are not.
        is_folder: whether it is a folder.
        start: where its content begins in the unpacked tar.
    """

    raw_name: bytes
    size: int
    is_file: bool
    is_folder: bool
    start: int


def looks_like_tar(head: bytes) -> bool:
    """Return whether a file that begins with `head` is a tar, maybe a damaged one."""
    block = head[:BLOCK]
    return head[257:262] == b"ustar" or (
        len(block) == BLOCK and any(block) and _checksum_fits(block)
    )


def read_members(stream: ForwardStream) -> Iterator[Member]:
    """Read the members to the end of the tar; contents may be read in between.

    Raises:
        DatasetError: ``damaged_archive``.
    """
    extensions: dict[str, bytes] = {}
    count = 0
    while block := stream.read(BLOCK):
        if not any(block):
            return
        if len(block) < BLOCK or not _checksum_fits(block):
            raise damaged_archive()
        kind = block[156:157]
        size = _number(block[124:136])
        if kind in (_LONG_NAME, _LONG_LINK, _PAX_GLOBAL) or kind in _PAX:
            count += 1
            content = _read_extension(stream, size, count)
            if kind == _LONG_NAME:
                extensions["path"] = content.partition(b"\0")[0]
            elif kind in _PAX:
                extensions.update(_pax_records(content))
            continue
        member, end = _member(stream, block, kind, size, extensions)
        if kind not in _LABELS:
            yield member
        stream.skip_to(end)
        extensions, count = {}, 0
    if count:
        raise damaged_archive()


def _read_extension(stream: ForwardStream, size: int, count: int) -> bytes:
    if size > _LONGEST_EXTENSION or count > _MOST_EXTENSIONS:
        raise damaged_archive()
    content = stream.read(_whole_blocks(size))
    if len(content) < size:
        raise damaged_archive()
    return content[:size]


def _member(
    stream: ForwardStream, block: bytes, kind: bytes, size: int, extensions: dict[str, bytes]
) -> tuple[Member, int]:
    """Return the member of a header, and where the next header begins."""
    raw_name = extensions.get("GNU.sparse.name") or extensions.get("path") or _short_name(block)
    is_sparse = kind == _SPARSE or any(key.startswith("GNU.sparse.") for key in extensions)
    if kind == _SPARSE:
        extended = block[482]
        while extended:
            more = stream.read(BLOCK)
            if len(more) < BLOCK:
                raise damaged_archive()
            extended = more[504]
    if (stated := extensions.get("size", b"")).isdigit() and len(stated) < 20:
        size = int(stated)
    is_folder = kind in _FOLDERS or (kind == b"\0" and raw_name.endswith(b"/"))
    # Kinds that are not known count as ordinary files, as POSIX has it.
    is_file = not (is_folder or is_sparse or kind in _LINKS_AND_DEVICES)
    length = 0 if kind in _LINKS_AND_DEVICES or kind == b"5" else size
    start = stream.position
    member = Member(raw_name, length, is_file, is_folder, start)
    return member, start + _whole_blocks(length)


def _short_name(block: bytes) -> bytes:
    name = block[:100].partition(b"\0")[0]
    # GNU tar uses the place of the prefix for times.
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _number(field: bytes) -> int:
    """Return a number: octal digits, or binary where the first bit is set."""
    if field[0] & 0x80:
        number = int.from_bytes(field, "big", signed=True) if field[0] == 0xFF else -1
        if field[0] == 0x80:
            number = int.from_bytes(field[1:], "big")
    else:
        digits = field.partition(b"\0")[0].strip()
        try:
            number = int(digits or b"0", 8)
        except ValueError:
            number = -1
    if number < 0:
        raise damaged_archive()
    return number


def _checksum_fits(block: bytes) -> bool:
    """Compare the checksum, which old tools summed from signed bytes."""
    digits = block[_CHECKSUM].partition(b"\0")[0].strip()
    try:
        stated = int(digits, 8)
    except ValueError:
        return False
    plain = sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" ")
    if stated == plain:
        return True
    rest = block[: _CHECKSUM.start] + block[_CHECKSUM.stop :]
    return stated == plain - 256 * sum(byte > 127 for byte in rest)


def _whole_blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _pax_records(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the records of a pax header, up to the first that is malformed."""
    at = 0
    while at < len(content):
        space = content.find(b" ", at, at + 20)
        digits = content[at:space] if space > at else b""
        if not digits.isdigit():
            return
        end = at + int(digits)
        key, equals, value = content[space + 1 : end - 1].partition(b"=")
        if not equals or end > len(content) or content[end - 1 : end] != b"\n":
            return
        yield key.decode("utf-8", "replace"), value
        at = end

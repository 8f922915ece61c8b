"""Writes archives as people make them, and as attackers do, and reads them through the intake."""

import io
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from iadd.intake.containers.limits import DEFAULT_LIMITS, Limits
from iadd.intake.containers.open import open_archive
from iadd.intake.errors import DatasetError, FileError

MEBIBYTE = 1 << 20


def read_all(
    source: Path, limits: Limits = DEFAULT_LIMITS, encoding: str | None = None
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Read the entries; return contents, and the codes of refused ones, by name."""
    contents: dict[str, bytes] = {}
    refused: dict[str, str] = {}
    with open_archive(source, limits, encoding=encoding) as archive:
        position = 0
        for entry in archive.entries:
            assert position <= entry.position <= archive.total
            position = entry.position
            try:
                contents[entry.name] = entry.read()
                assert len(contents[entry.name]) == entry.size
            except FileError as error:
                refused[entry.name] = error.code
    return contents, refused


def list_names(source: Path, encoding: str | None = None) -> list[str]:
    """List the names of the entries without reading them."""
    with open_archive(source, encoding=encoding) as archive:
        return [entry.name for entry in archive.entries]


def code_of(source: Path, limits: Limits = DEFAULT_LIMITS) -> str:
    """Return the code of the error that reading all of an archive raises."""
    with pytest.raises(DatasetError) as caught:
        read_all(source, limits)
    assert str(caught.value).endswith(".")
    return caught.value.code


@contextmanager
def memory_below(mebibytes: float) -> Iterator[None]:
    """Fail when Python objects take more than this at any time inside."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] / MEBIBYTE
    finally:
        tracemalloc.stop()
    assert peak < mebibytes


def write_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@dataclass(frozen=True)
class RawEntry:
    """An entry of a zip as it is to be written, right or wrong."""

    name: bytes
    packed: bytes = b""
    size: int = 0
    checksum: int = 0
    method: int = 0
    flags: int = 0
    extra: bytes = b""
    offset: int | None = None


def stored(name: bytes, content: bytes = b"x", **fields: object) -> RawEntry:
    """Return an entry that is not compressed."""
    checksum = zlib.crc32(content)
    return RawEntry(name, content, len(content), checksum, **fields)  # type: ignore[arg-type]


def write_raw_zip(path: Path, entries: list[RawEntry], *, prefix: bytes = b"") -> Path:
    """Write a zip byte by byte, with names as bytes and whatever else the entries say."""
    body, directory = bytearray(), bytearray()
    for entry in entries:
        offset = len(body) if entry.offset is None else entry.offset
        # From the flags to the length of the extra fields, both headers are the same.
        common = struct.pack(
            "<HHHHLLLHH",
            *(entry.flags, entry.method, 0, 33, entry.checksum, len(entry.packed), entry.size),
            *(len(entry.name), len(entry.extra)),
        )
        body += b"PK\3\4" + struct.pack("<H", 20) + common + entry.name + entry.extra
        body += entry.packed
        directory += b"PK\1\2" + struct.pack("<HH", 20, 20) + common
        directory += struct.pack("<HHHLL", 0, 0, 0, 0, offset) + entry.name + entry.extra
    end = struct.pack(
        "<4s4H2LH",
        *(b"PK\5\6", 0, 0, len(entries), len(entries), len(directory), len(body), 0),
    )
    path.write_bytes(prefix + body + directory + end)
    return path

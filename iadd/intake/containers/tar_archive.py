"""Reads tar archives, plain or packed as a whole by gzip, bzip2, xz or Zstandard."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from iadd.intake.containers import decompressors
from iadd.intake.containers.archive import Archive, Entry
from iadd.intake.containers.bounded_io import CHUNK, FileStream, ForwardStream, UnpackedStream
from iadd.intake.containers.decompressors import Decompressor
from iadd.intake.containers.file_names import NameDecoder, NamePool, check_encoding, is_untold
from iadd.intake.containers.guess_encoding import NamesGuess
from iadd.intake.containers.limits import Limits
from iadd.intake.containers.refusals import (
    damaged_archive,
    not_a_file,
    not_an_archive,
    too_many_entries,
)
from iadd.intake.containers.tar_headers import BLOCK, Member, looks_like_tar, read_members

# By the first bytes of a packed file: its name in a sentence, and what unpacks it.
_PACKINGS: dict[bytes, tuple[str, Callable[[], Decompressor]]] = {
    b"\x1f\x8b": ("a gzip", decompressors.gunzip),
    b"BZh": ("a bzip2", decompressors.bunzip2),
    b"\xfd7zXZ\0": ("an xz", decompressors.unxz),
    b"\x28\xb5\x2f\xfd": ("a Zstandard", decompressors.unzstd),
}


def is_packed(head: bytes) -> bool:
    """Return whether a file that begins with `head` is packed as a whole."""
    return _packing_of(head) is not None


def open_tar(file: BinaryIO, limits: Limits, encoding: str | None) -> Archive:
    """Open a tar, plain or packed.

    Raises:
        DatasetError: ``not_an_archive`` where something else is packed, ``damaged_archive``,
            ``archive_too_large``.
    """
    reader = _TarReader(file, limits, None if encoding is None else check_encoding(encoding))
    total = max(1, os.fstat(file.fileno()).st_size)
    return Archive(reader.entries(), total, "bytes", reader.folders, reader.guess_names)


def _packing_of(head: bytes) -> tuple[str, Callable[[], Decompressor]] | None:
    for magic, packing in _PACKINGS.items():
        if head.startswith(magic):
            return packing
    return None


class _TarReader:
    """Reads a tar from start to end.

    The names are known at the end alone. The first that is not UTF-8 needs the encoding of all, so
    that the tar is gone through a second time then, and only then.
    """

    def __init__(self, file: BinaryIO, limits: Limits, encoding: str | None) -> None:
        self.folders: list[str] = []
        self._file = file
        self._limits = limits
        self._encoding = encoding
        self._pool = NamePool()
        self._guess: NamesGuess | None = None
        self._is_guessed = False
        self._decoder = NameDecoder(encoding, None)
        file.seek(0)
        self._packing = _packing_of(file.read(BLOCK))
        if self._packing is not None:
            what, _ = self._packing
            if not looks_like_tar(self._stream(file).read(BLOCK)):
                raise not_an_archive(f"This is {what} file with no tar archive in it.")

    def entries(self) -> Iterator[Entry]:
        """Yield each file once."""
        stream = self._stream(self._file)
        for member in self._members(stream):
            name = self._decode(member.raw_name)
            if member.is_folder:
                self.folders.append(name)
            else:
                read = partial(_read, stream, member, self._limits)
                yield Entry(name, member.size, self._file.tell(), read)
        self._finish(stream)

    def guess_names(self) -> NamesGuess | None:
        """Return the guess, from what was read so far only where that was everything."""
        if not self._is_guessed:
            self._guess_from_all()
        return self._guess

    def _stream(self, file: BinaryIO) -> ForwardStream:
        packed = os.fstat(file.fileno()).st_size
        budget = self._limits.total_budget(packed)
        over_budget = partial(self._limits.over_total, packed)
        if self._packing is None:
            return FileStream(file, budget=budget, over_budget=over_budget)
        _, new_decompressor = self._packing
        return UnpackedStream(file, new_decompressor, budget=budget, over_budget=over_budget)

    def _members(self, stream: ForwardStream) -> Iterator[Member]:
        for count, member in enumerate(read_members(stream), start=1):
            if count > self._limits.entries:
                raise too_many_entries(self._limits.entries)
            yield member

    def _decode(self, raw_name: bytes) -> str:
        if not self._is_guessed and is_untold(raw_name):
            self._guess_from_all()
        return self._decoder.decode(raw_name)

    def _guess_from_all(self) -> None:
        with Path(self._file.name).open("rb") as again:
            for member in self._members(self._stream(again)):
                if not member.is_folder:
                    self._pool.add(member.raw_name)
        self._settle()

    def _settle(self) -> None:
        self._guess = self._pool.guess()
        self._decoder = NameDecoder(self._encoding, self._guess)
        self._is_guessed = True

    def _finish(self, stream: ForwardStream) -> None:
        """Unpack what follows the tar: only there is the checksum of all."""
        if isinstance(stream, UnpackedStream):
            while stream.read(CHUNK):
                pass
        if not self._is_guessed:
            self._settle()  # each name was UTF-8


def _read(stream: ForwardStream, member: Member, limits: Limits) -> bytes:
    if not member.is_file:
        raise not_a_file()
    limits.check_entry(member.size, None)
    stream.skip_to(member.start)
    content = stream.read(member.size)
    if len(content) != member.size:
        raise damaged_archive()
    return content

"""Streams that are read forwards, within a budget of bytes, and never far in one call.

Headers of archives hold lengths of names and gaps. Through these readers an absurd length fails
instead of filling the memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO, Protocol

from iadd.intake.containers.decompressors import UNPACKING_ERRORS, Decompressor
from iadd.intake.containers.refusals import damaged_archive, memory_to_unpack
from iadd.intake.errors import DatasetError

CHUNK = 256 * 1024


class ForwardStream(Protocol):
    """A stream that is read and skipped forwards."""

    position: int

    def read(self, size: int) -> bytes:
        """Read `size` bytes, fewer only at the end."""

    def skip_to(self, position: int) -> None:
        """Go forwards to `position`; raise `DatasetError` when that lies behind or past the end."""


class FileStream:
    """A file read forwards; skipping costs nothing.

    Attributes:
        position: bytes read and skipped so far.
    """

    def __init__(
        self, file: BinaryIO, *, budget: int, over_budget: Callable[[], DatasetError]
    ) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._budget = budget
        self._over_budget = over_budget
        self.position = file.seek(0)

    def read(self, size: int) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        data = self._file.read(size)
        self._go_to(self.position + len(data))
        return data

    def skip_to(self, position: int) -> None:
        """Go forwards to `position`."""
        if not self.position <= position <= self._size:
            raise damaged_archive()
        self._go_to(position)
        self._file.seek(position)

    def _go_to(self, position: int) -> None:
        self.position = position
        if position > self._budget:
            raise self._over_budget()


class UnpackedStream:
    """What a compressed file unpacks to, its streams one after the other.

    Skipped bytes count against the budget too: they are unpacked all the same.

    Attributes:
        position: bytes unpacked so far.
    """

    def __init__(
        self,
        file: BinaryIO,
        new_decompressor: Callable[[], Decompressor],
        *,
        budget: int,
        over_budget: Callable[[], DatasetError],
    ) -> None:
        file.seek(0)
        self._file = file
        self._new_decompressor = new_decompressor
        self._decompressor: Decompressor | None = None
        self._packed = b""
        self._unpacked = memoryview(b"")
        self._budget = budget
        self._over_budget = over_budget
        self.position = 0

    def read(self, size: int) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        content = bytearray()
        while len(content) < size and (piece := self._next(size - len(content))):
            content += piece
        return bytes(content)

    def skip_to(self, position: int) -> None:
        """Unpack up to `position` and forget it."""
        if position < self.position:
            raise damaged_archive()
        while self.position < position:
            if not self._next(min(CHUNK, position - self.position)):
                raise damaged_archive()

    def _next(self, most: int) -> bytes:
        """Return 1 to `most` bytes, none at the end."""
        if not self._unpacked:
            # A chunk ahead: each call of a decompressor costs, and headers are short.
            self._unpacked = memoryview(self._unpack_chunk())
        piece, self._unpacked = bytes(self._unpacked[:most]), self._unpacked[most:]
        self.position += len(piece)
        if self.position > self._budget:
            raise self._over_budget()
        return piece

    def _unpack_chunk(self) -> bytes:
        try:
            return self._unpack(CHUNK)
        except UNPACKING_ERRORS as error:
            if isinstance(error, DatasetError):
                raise
            # liblzma and libzstd say so in words alone.
            needs_memory = "memory" in str(error).lower()
            raise (memory_to_unpack() if needs_memory else damaged_archive()) from error

    def _unpack(self, most: int) -> bytes:
        while True:
            if self._decompressor is None:
                # Zeros pad files to blocks; between streams they mean nothing.
                self._packed = self._packed.lstrip(b"\0") or self._read_past_zeros()
                if not self._packed:
                    return b""
                self._decompressor = self._new_decompressor()
            if self._decompressor.needs_input and not self._packed:
                self._packed = self._file.read(CHUNK)
                if not self._packed:
                    raise damaged_archive()
            packed, self._packed = self._packed, b""
            unpacked = self._decompressor.decompress(packed, most)
            if self._decompressor.eof:
                self._packed = self._decompressor.unused_data
                self._decompressor = None
            if unpacked:
                return unpacked

    def _read_past_zeros(self) -> bytes:
        while data := self._file.read(CHUNK):
            if data := data.lstrip(b"\0"):
                return data
        return b""

"""Bounded readers between the standard library's archive readers and a hostile file.

zipfile and tarfile trust lengths found in headers and read that much in one call: a central
directory, a long file name. Through these readers such a call fails instead of filling the memory.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import BinaryIO

_CHUNK = 256 * 1024

Failure = Callable[[], Exception]


class CappedReader(io.RawIOBase):
    """A seekable file that fails a single read of more than `longest_read` bytes."""

    def __init__(self, file: BinaryIO, *, longest_read: int, failure: Failure) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        self._longest_read = longest_read
        self._failure = failure

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in the file."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go anywhere in the file."""
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, or to the end; fail when that is too much."""
        left = max(0, self._size - self._file.tell())
        wanted = left if size < 0 else size
        if wanted > self._longest_read:
            raise self._failure()
        # A file object allocates the requested size, even where there is less to read.
        return self._file.read(min(wanted, left))


class CountingStream(io.RawIOBase):
    """A forward-only stream that raises `over_budget` after `budget` bytes.

    Skipped bytes count too: the unpacked size of a stream is known only by unpacking it.

    Attributes:
        last_read: what the latest `read` returned.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        longest_read: int,
        budget: int,
        damaged: Failure,
        over_budget: Failure,
    ) -> None:
        self._stream = stream
        self._longest_read = longest_read
        self._budget = budget
        self._damaged = damaged
        self._over_budget = over_budget
        self._position = 0
        self.last_read = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes unpacked so far."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Skip forward to `offset`."""
        if whence != os.SEEK_SET or offset < self._position:
            raise self._damaged()
        while self._position < offset:
            if not self._take(min(_CHUNK, offset - self._position)):
                raise self._damaged()
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes; fail when `size` is negative (read everything) or too large."""
        if not 0 <= size <= self._longest_read:
            raise self._damaged()
        self.last_read = self._take(size)
        return self.last_read

    def _take(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._position += len(data)
        if self._position > self._budget:
            raise self._over_budget()
        return data

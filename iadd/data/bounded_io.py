"""File objects that stand between the standard library's archive readers and a hostile file.

zipfile and tarfile trust lengths found in headers and read that much in one call: a central
directory, a long file name. Behind these guards such a call fails instead of filling the memory.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import BinaryIO

_CHUNK = 256 * 1024

Failure = Callable[[], Exception]


class CappedReader(io.RawIOBase):
    """A seekable file of which no single read may be longer than `longest_read` bytes."""

    def __init__(self, file: BinaryIO, *, longest_read: int, failure: Failure) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        self._longest_read = longest_read
        self._failure = failure

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def tell(self) -> int:
        """Where the file stands."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go anywhere in the file."""
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, or to the end; fails when that is too much."""
        left = max(0, self._size - self._file.tell())
        wanted = left if size < 0 else size
        if wanted > self._longest_read:
            raise self._failure()
        # A file object makes room for all that it is asked for, even where there is less to read.
        return self._file.read(min(wanted, left))


class CountingStream(io.RawIOBase):
    """A stream that goes forward only and ends with `over_budget` after `budget` bytes.

    Skipping is reading, and counts: what a stream unpacks to is known only by unpacking it.

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
        """Always true."""
        return True

    def tell(self) -> int:
        """How many bytes have been unpacked."""
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
        """Read `size` bytes; fails when that is everything, or too much."""
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

"""Decompressors that return no more than they are asked for in one call.

The standard library's bz2, lzma and zstd keep to `max_length` by themselves; Deflate and Deflate64
are given the same shape here.
"""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from typing import Protocol

import inflate64

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# The most memory that the dictionary of one stream may take.
_DICTIONARY_BYTES = 128 << 20
_ZSTD_WINDOW_LOG = 27  # 2²⁷ = 128 MiB
# One code of Deflate64, some 18 bits, unpacks to 64 KiB at most: a piece this long unpacks to
# 8 MiB at worst, and `inflate64` has no other bound on what a call returns.
_DEFLATE64_PIECE = 256
_SMALLEST_DICTIONARY = 4096

GZIP_WINDOW = zlib.MAX_WBITS | 16
RAW_DEFLATE = -zlib.MAX_WBITS

UNPACKING_ERRORS = (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, EOFError, ValueError)


class Decompressor(Protocol):
    """A decompressor of one stream."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more input."""

    @property
    def unused_data(self) -> bytes:
        """The input after the end of the stream."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take `data` in and return at most `max_length` bytes."""


class Inflate:
    """Deflate by zlib, raw or in a gzip member."""

    def __init__(self, window: int) -> None:
        self._inner = zlib.decompressobj(window)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """The input after the end of the stream."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take `data` in and return at most `max_length` bytes, at least 1."""
        unpacked = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        # A full answer may leave bytes in zlib's window although all input was taken.
        self.needs_input = not self._inner.unconsumed_tail and len(unpacked) < max_length
        return unpacked


class Inflate64:
    """Deflate64 by `inflate64`, fed in small pieces."""

    def __init__(self) -> None:
        self._inner = inflate64.Inflater()
        self._packed = memoryview(b"")
        self._unpacked = memoryview(b"")

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""
        return bool(self._inner.eof) and not self._unpacked

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more input."""
        return not self._packed and not self._unpacked

    @property
    def unused_data(self) -> bytes:
        """The input after the end of the stream."""
        return bytes(self._packed) if self.eof else b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take `data` in and return at most `max_length` bytes."""
        if data:
            self._packed = memoryview(bytes(self._packed) + data)
        while not self._unpacked and self._packed and not self._inner.eof:
            piece, self._packed = (
                self._packed[:_DEFLATE64_PIECE],
                self._packed[_DEFLATE64_PIECE:],
            )
            self._unpacked = memoryview(self._inner.inflate(bytes(piece)))
        part, self._unpacked = self._unpacked[:max_length], self._unpacked[max_length:]
        return bytes(part)


class ZipLzma:
    """LZMA as zip packs it: four bytes, five bytes of properties, then the raw stream."""

    def __init__(self, unpacked_size: int) -> None:
        self._unpacked_size = unpacked_size
        self._head = b""
        self._inner: lzma.LZMADecompressor | None = None

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""
        return self._inner is not None and self._inner.eof

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more input."""
        return self._inner is None or self._inner.needs_input

    @property
    def unused_data(self) -> bytes:
        """The input after the end of the stream."""
        return b"" if self._inner is None else self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take `data` in and return at most `max_length` bytes."""
        if self._inner is not None:
            return self._inner.decompress(data, max_length)
        self._head += data
        if len(self._head) < 9:
            return b""
        if self._head[2:4] != b"\5\0" or self._head[4] >= 225:
            raise lzma.LZMAError("unknown properties")
        packed, properties = self._head[9:], self._head[4]
        # No match reaches back further than the first byte, so a larger dictionary is of no use.
        dictionary = min(int.from_bytes(self._head[5:9], "little"), self._unpacked_size)
        filters = [
            {
                "id": lzma.FILTER_LZMA1,
                "dict_size": max(_SMALLEST_DICTIONARY, dictionary),
                "lc": properties % 9,
                "lp": properties // 9 % 5,
                "pb": properties // 45,
            }
        ]
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
        return self._inner.decompress(packed, max_length)


def gunzip() -> Decompressor:
    """Return a decompressor of one gzip member."""
    return Inflate(GZIP_WINDOW)


def inflate() -> Decompressor:
    """Return a decompressor of raw Deflate."""
    return Inflate(RAW_DEFLATE)


def bunzip2() -> Decompressor:
    """Return a decompressor of one bzip2 stream."""
    return bz2.BZ2Decompressor()


def unxz() -> Decompressor:
    """Return a decompressor of one xz stream whose memory is bounded."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DICTIONARY_BYTES)


def unzstd() -> Decompressor:
    """Return a decompressor of one Zstandard frame whose memory is bounded."""
    options = {int(zstd.DecompressionParameter.window_log_max): _ZSTD_WINDOW_LOG}
    return zstd.ZstdDecompressor(options=options)

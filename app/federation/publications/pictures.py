"""Checks that a picture holds the pixels of a distilled image and nothing else (PNG, RFC 2083)."""

import struct
import zlib

from app.federation.publications.refusal import refuse

_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNK = struct.Struct(">I4s")
_CHECKSUM = struct.Struct(">I")
_IHDR = struct.Struct(">IIBBBBB")
_CHANNELS = {0: 1, 2: 3}
"""By kind of colour: grey, and three colours."""


def expect_picture(content: bytes, size: int) -> None:
    """A PNG of size×size pixels of 8 bits, and nothing beside its pixels."""
    if not content.startswith(_PNG):
        refuse("A picture in it is none")
    chunks, position = [], len(_PNG)
    while position < len(content):
        if len(content) - position < _CHUNK.size + _CHECKSUM.size:
            refuse("A picture in it is cut short, or followed by something else")
        length, kind = _CHUNK.unpack_from(content, position)
        end = position + _CHUNK.size + length
        if end + _CHECKSUM.size > len(content):
            refuse("A picture in it is cut short")
        (checksum,) = _CHECKSUM.unpack_from(content, end)
        if zlib.crc32(content[position + 4 : end]) != checksum:
            refuse("A picture in it is damaged")
        chunks.append((kind, content[position + _CHUNK.size : end]))
        position = end + _CHECKSUM.size
    kinds = [kind for kind, _ in chunks]
    if (
        len(kinds) < 3
        or kinds != [b"IHDR", *[b"IDAT"] * (len(kinds) - 2), b"IEND"]
        or chunks[-1][1]
    ):
        refuse("A picture in it holds more than its pixels")
    if len(chunks[0][1]) != _IHDR.size:
        refuse("A picture in it holds more than its pixels")
    width, height, depth, colour, *rest = _IHDR.unpack(chunks[0][1])
    if (width, height) != (size, size) or depth != 8 or colour not in _CHANNELS or any(rest):
        refuse(f"A picture in it has not {size}×{size} pixels, as distilled images have")
    bytes_of_pixels = size * (1 + size * _CHANNELS[colour])
    unpack = zlib.decompressobj()
    try:
        pixels = unpack.decompress(b"".join(part for _, part in chunks[1:-1]), bytes_of_pixels + 1)
    except zlib.error:
        refuse("A picture in it is damaged")
    if len(pixels) != bytes_of_pixels or not unpack.eof or unpack.unused_data:
        refuse("A picture in it holds more than its pixels, or less")

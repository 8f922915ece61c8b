"""Takes out of compressed pictures what is no picture: comments, application data, tails.

The pictures stay as they are, bit by bit: nothing is decoded.
"""

from __future__ import annotations

from iadd.intake.errors import FileError

_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_RESTARTS = range(0xD0, 0xD8)
_APPLICATIONS = range(0xE0, 0xF0)
# Two that say how colours are coded, and are of fixed length: Adobe's and that of JPEG-LS.
_COLOUR_SEGMENTS = {0xEE: (b"Adobe", 12), 0xE8: (b"mrfx", 5)}

_J2K_START, _J2K_TILE, _J2K_DATA, _J2K_END = 0xFF4F, 0xFF90, 0xFF93, 0xFFD9
_J2K_SEGMENTS = frozenset((
    0xFF50, 0xFF51, 0xFF52, 0xFF53, 0xFF55, 0xFF56, 0xFF57, 0xFF58, 0xFF59, 0xFF5C, 0xFF5D,
    0xFF5E, 0xFF5F, 0xFF60, 0xFF61, 0xFF63,
))  # fmt: skip
_JP2 = b"\0\0\0\x0cjP  "


def clean_stream(frame: bytes) -> bytes:
    """Return a JPEG, JPEG-LS or JPEG 2000 picture without anything beside the picture.

    Raises:
        FileError: ``pixel_stream``, when it is none of these, or damaged.
    """
    try:
        if frame.startswith(_JP2):
            frame = _codestream(frame)
        if frame.startswith(b"\xff\x4f"):
            return _clean_jpeg2000(frame)
        if frame.startswith(b"\xff\xd8"):
            return _clean_jpeg(frame)
    except IndexError:
        pass
    raise FileError(
        "pixel_stream",
        "Its compressed picture is damaged or of an unknown kind; export it uncompressed.",
    )


def _clean_jpeg(frame: bytes) -> bytes:
    kept = bytearray(frame[:2])
    place = 2
    while True:
        while frame[place] == 0xFF and frame[place + 1] == 0xFF:
            place += 1
        if frame[place] != 0xFF:
            raise IndexError
        marker = frame[place + 1]
        if marker == _EOI:
            return bytes(kept + b"\xff\xd9")
        end = place + 2 + _number(frame, place + 2, 2)
        if end < place + 4 or end >= len(frame):
            raise IndexError
        if marker in _COLOUR_SEGMENTS:
            start, length = _COLOUR_SEGMENTS[marker]
            keep = frame[place + 4 : end].startswith(start) and end - place - 4 == length
        else:
            keep = marker != _COM and marker not in _APPLICATIONS
        if keep:
            kept += frame[place:end]
        place = end
        if marker == _SOS:
            place = _end_of_scan(frame, place)
            kept += frame[end:place]


def _end_of_scan(frame: bytes, place: int) -> int:
    """Return where the next segment begins; inside a scan, 0xFF is followed by less than 0x80."""
    while True:
        place = frame.find(b"\xff", place)
        if place < 0:
            raise IndexError
        following = frame[place + 1]
        if following >= 0x80 and following not in _RESTARTS and following != 0xFF:
            return place
        place += 1 if following == 0xFF else 2


def _clean_jpeg2000(frame: bytes) -> bytes:
    kept = bytearray(frame)
    place = 2
    tile_end = 0
    while True:
        marker = _number(kept, place, 2)
        if marker == _J2K_END:
            return bytes(kept[: place + 2])
        if marker == _J2K_DATA:
            if not tile_end:  # the last tile may leave its length out
                return (
                    bytes(kept[: kept.rindex(b"\xff\xd9") + 2]) if b"\xff\xd9" in kept else _cut()
                )
            if tile_end <= place:
                raise IndexError
            place = tile_end
            continue
        length = _number(kept, place + 2, 2)
        end = place + 2 + length
        if length < 2 or end > len(kept):
            raise IndexError
        if marker == _J2K_TILE:
            size = _number(kept, place + 6, 4)
            tile_end = place + size if size else 0
        elif marker not in _J2K_SEGMENTS:
            # Its length stays, for other segments count on it: two bytes of a comment's kind.
            start = min(place + 6, end)
            kept[start:end] = bytes(end - start)
        place = end


def _cut() -> bytes:
    raise IndexError


def _codestream(frame: bytes) -> bytes:
    """Return the picture in a JP2 file."""
    place = 0
    while True:
        size, kind = _number(frame, place, 4), frame[place + 4 : place + 8]
        header = 8
        if size == 1:
            size, header = _number(frame, place + 8, 8), 16
        if kind == b"jp2c":
            return frame[place + header : place + size if size else None]
        if size < header:
            raise IndexError
        place += size


def _number(data: bytes | bytearray, place: int, size: int) -> int:
    if place + size > len(data):
        raise IndexError
    return int.from_bytes(data[place : place + size], "big")

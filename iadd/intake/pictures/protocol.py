"""Messages between the pool and its children, over pipes: one letter, a note, a length, the bytes.

To the child: ``S`` the settings once; ``F`` a file, its suffix in the note; ``G`` the memory that
it asked for is granted. From the child: ``H`` it is ready; ``W`` the bytes that it wants; ``P`` a
picture; ``R`` a refusal.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import numpy as np

from iadd.intake.errors import FileError
from iadd.intake.pictures.picture import DicomFacts, Picture

SETTINGS, FILE, GRANT = b"S", b"F", b"G"
HELLO, WANT, PICTURE, REFUSAL = b"H", b"W", b"P", b"R"

LONGEST_NOTE = 16

_HEADER = struct.Struct(f"<cQ{LONGEST_NOTE}s")
_LENGTH = struct.Struct("<Q")
_MOST_FACTS = 1 << 16


class ProtocolError(Exception):
    """The other side is gone, or does not keep to the protocol."""


@dataclass(frozen=True)
class Settings:
    """What a child is told at its start; never on its command line, which others can read."""

    image_size: int
    patient_key: bytes
    cpu_seconds: int
    address_space: int

    def to_bytes(self) -> bytes:
        """Encode for the pipe."""
        return json.dumps({**asdict(self), "patient_key": self.patient_key.hex()}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Settings:
        """Decode what `to_bytes` encoded."""
        values = json.loads(data)
        return cls(**{**values, "patient_key": bytes.fromhex(values["patient_key"])})


@dataclass(frozen=True)
class Message:
    """What one side tells the other."""

    letter: bytes
    data: bytes
    note: bytes


def send(
    pipe: BinaryIO,
    letter: bytes,
    pieces: Iterable[bytes] = (),
    *,
    note: bytes = b"",
) -> None:
    """Write one message of bytes that are joined from `pieces`.

    Raises:
        ProtocolError: when the other side is gone.
    """
    pieces = list(pieces)
    try:
        pipe.write(_HEADER.pack(letter, sum(len(piece) for piece in pieces), note))
        for piece in pieces:
            pipe.write(piece)
        pipe.flush()
    except (OSError, ValueError) as error:
        raise ProtocolError("the pipe is closed") from error


def receive(pipe: BinaryIO, *, most: int | None = None) -> Message:
    """Read one message.

    Args:
        pipe: Where to read.
        most: refuse messages of more bytes.

    Raises:
        ProtocolError: when the other side is gone or sends too much.
    """
    try:
        letter, length, note = _HEADER.unpack(_exactly(pipe, _HEADER.size))
        if most is not None and length > most:
            raise ProtocolError("a message is too long")
        return Message(letter, _exactly(pipe, length), note.rstrip(b"\0"))
    except (OSError, ValueError) as error:
        raise ProtocolError("the pipe is closed") from error


def _exactly(pipe: BinaryIO, length: int) -> bytes:
    data = pipe.read(length)
    if len(data) != length:
        raise ProtocolError("the other side is gone")
    return data


def pack_length(number: int) -> bytes:
    """Encode a number of bytes."""
    return _LENGTH.pack(number)


def unpack_length(data: bytes) -> int:
    """Decode a number of bytes.

    Raises:
        ProtocolError: when it is none.
    """
    if len(data) != _LENGTH.size:
        raise ProtocolError("not a number")
    (number,) = _LENGTH.unpack(data)
    return int(number)


def pack_picture(picture: Picture) -> list[bytes]:
    """Encode a picture: facts as JSON, then the pixels, in one byte each where that is enough."""
    facts = {key: value for key, value in vars(picture).items() if key != "pixels"}
    if picture.dicom:
        facts["dicom"] = asdict(picture.dicom)
    encoded = json.dumps(facts).encode()
    pixels = picture.pixels
    narrow = pixels.astype(np.uint8) if picture.depth == 8 else pixels.astype("<u2", copy=False)
    return [_LENGTH.pack(len(encoded)), encoded, narrow.tobytes()]


def unpack_picture(data: bytes, image_size: int) -> Picture:
    """Decode a picture, trusting nothing of it.

    Raises:
        ProtocolError: when it is none of S × S pixels.
    """
    try:
        length = unpack_length(data[: _LENGTH.size])
        start = _LENGTH.size + length
        if length > _MOST_FACTS:
            raise ProtocolError("the facts are too long")
        facts: dict[str, Any] = json.loads(data[_LENGTH.size : start])
        narrow = facts["depth"] == 8
        pixels = np.frombuffer(data, np.uint8 if narrow else "<u2", offset=start)
        facts["dicom"] = facts["dicom"] and DicomFacts(**facts["dicom"])
        for name in ("metadata", "flags"):
            facts[name] = tuple(map(str, facts[name]))
        return Picture(pixels=pixels.reshape(image_size, image_size).astype(np.uint16), **facts)
    except (ValueError, TypeError, KeyError) as error:
        raise ProtocolError("not a picture") from error


def pack_refusal(error: FileError) -> list[bytes]:
    """Encode a refusal."""
    return [json.dumps([error.code, error.reason]).encode()]


def unpack_refusal(data: bytes) -> FileError:
    """Decode a refusal.

    Raises:
        ProtocolError: when it is none.
    """
    try:
        code, reason = json.loads(data)
    except (ValueError, TypeError) as error:
        raise ProtocolError("not a refusal") from error
    return FileError(str(code), str(reason))

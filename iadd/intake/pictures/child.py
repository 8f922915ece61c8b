"""Decodes files one after the other, in a process of its own; `DecoderPool` starts it.

``python -m iadd.intake.pictures.child`` reads from standard input and writes to standard output, in
the words of `protocol`. It ends when its input ends, as it does when the pool's process dies.
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

from iadd.intake.errors import FileError
from iadd.intake.pictures import protocol
from iadd.intake.pictures.confinement import confine, limit_processor_time
from iadd.intake.pictures.reading import read_picture

# Smaller pictures are not worth a message to the pool and back.
_FREE_BYTES = 4 << 20


def main() -> None:
    """Serve the pool until it closes the pipe."""
    source, sink = _pipes()
    settings = protocol.Settings.from_bytes(protocol.receive(source).data)
    confine(settings.address_space)
    protocol.send(sink, protocol.HELLO)
    while True:
        try:
            message = protocol.receive(source)
        except protocol.ProtocolError:
            return
        limit_processor_time(settings.cpu_seconds)
        protocol.send(sink, *_answer(message, settings, source, sink))
        # Nothing of a large file may stay while the next is awaited.
        del message


def _answer(
    message: protocol.Message, settings: protocol.Settings, source: BinaryIO, sink: BinaryIO
) -> tuple[bytes, list[bytes]]:
    def reserve(size: int) -> None:
        if size > _FREE_BYTES:
            protocol.send(sink, protocol.WANT, [protocol.pack_length(size)])
            protocol.receive(source)

    try:
        picture = read_picture(
            message.data,
            image_size=settings.image_size,
            patient_key=settings.patient_key,
            suffix=message.note.decode("ascii", "replace"),
            reserve=reserve,
        )
    except MemoryError:
        refusal = FileError(
            "too_large", "Decoding it takes more memory than is allowed; export it smaller."
        )
        return protocol.REFUSAL, protocol.pack_refusal(refusal)
    except FileError as error:
        return protocol.REFUSAL, protocol.pack_refusal(error)
    return protocol.PICTURE, protocol.pack_picture(picture)


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take both pipes for the protocol: what decoders print must not get into it."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    sys.stdin.close()
    return source, sink


if __name__ == "__main__":
    main()

"""A sum inside of what is stored, so that a flipped bit is an error and never a result.

The SHA-256 is of all bytes, with 64 zeros in its own place. It is an entry of the JSON document
that the bytes are, or of the one in a safetensors header; what was stored before there were sums
has none, and passes.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

SUM = "sha256"
UNSEALED = {SUM: "0" * 64}
"""Entry of a document that `sealed` fills in."""
_PLACE = re.compile(rb'sha256\\?": ?\\?"(.{64})', re.DOTALL)
"""Whatever is there: a sum with a flipped bit is a sum too."""
_LENGTH = 8
_BLOCK = 1 << 20


class DamagedError(ValueError):
    """Stored bytes are not as they were stored."""


def sealed(data: bytes) -> bytes:
    """Return the bytes with their sum.

    Args:
        data: A JSON document, or a safetensors file with one, that holds `UNSEALED`.
    """
    start, end = _find(data)
    return data[:start] + hashlib.sha256(data).hexdigest().encode() + data[end:]


class SealingFile:
    """Writes a safetensors file with its sum, a piece at a time.

    Args:
        file: Open for writing; it can be sought in.
        header: Length and header, which hold `UNSEALED`.
    """

    def __init__(self, file: IO[bytes], header: bytes) -> None:
        self._file = file
        self._place = file.tell() + _find(header)[0]
        self._digest = hashlib.sha256()
        self.write(header)

    def write(self, data: Any) -> int:
        """Write what follows."""
        self._digest.update(data)
        return self._file.write(data)

    def seal(self) -> None:
        """Fill in the sum of all that was written."""
        self._file.seek(self._place)
        self._file.write(self._digest.hexdigest().encode())
        self._file.seek(0, os.SEEK_END)


def sealed_document(document: Mapping[str, Any]) -> bytes:
    """Return a JSON document with its sum; `open_document` reads it."""
    # First, so that what is cut off is never the sum.
    return sealed(json.dumps({**UNSEALED, **document}).encode())


def open_document(data: bytes) -> dict[str, Any]:
    """Read what `sealed_document` returned, or a document without a sum.

    Raises:
        DamagedError: When it is not as it was stored.
    """
    expect_intact(data)
    try:
        document: dict[str, Any] = json.loads(data)
    except ValueError as error:
        raise DamagedError("these bytes are no document") from error
    document.pop(SUM, None)
    return document


def expect_intact(data: bytes) -> None:
    """Compare bytes with their sum.

    Raises:
        DamagedError: When they differ, or the bytes end too early.
    """
    header = _header(data[:_LENGTH])
    if not data.startswith(b"{") and len(data) < header:
        raise DamagedError("these bytes were cut off")
    try:
        start, end = _find(data)
    except DamagedError:
        return
    digest = hashlib.sha256(data[:start] + b"0" * (end - start))
    digest.update(memoryview(data)[end:])
    if digest.hexdigest().encode() != data[start:end]:
        raise DamagedError("these bytes are not as they were stored")


def expect_intact_file(path: Path) -> None:
    """Compare a safetensors file with its sum, a block at a time.

    Raises:
        DamagedError: When they differ, or the file ends too early.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(_LENGTH)
        if size < _header(prefix):
            raise DamagedError(f"{path.name} was cut off")
        header = prefix + file.read(_header(prefix) - _LENGTH)
        try:
            start, end = _find(header)
        except DamagedError:
            return
        digest = hashlib.sha256(header[:start] + b"0" * (end - start) + header[end:])
        while block := file.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest().encode() != header[start:end]:
        raise DamagedError(f"{path.name} is not as it was stored")


def _header(prefix: bytes) -> int:
    """Return the bytes of a safetensors header and of its length."""
    return _LENGTH + int.from_bytes(prefix, "little")


def _find(data: bytes) -> tuple[int, int]:
    """Return where the sum is; of a safetensors file, its header alone is searched."""
    end = len(data) if data.startswith(b"{") else min(len(data), _header(data[:_LENGTH]))
    found = _PLACE.search(data, 0, end)
    if found is None:
        raise DamagedError("there is no sum in these bytes")
    return found.span(1)

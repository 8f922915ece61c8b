"""Several byte strings in one object."""

import struct
from collections.abc import Iterator, Sequence


def joined(parts: Sequence[bytes]) -> bytes:
    """Return several byte strings as one; `parts_of` takes it apart."""
    return b"".join(struct.pack("<Q", len(part)) + part for part in parts)


def parts_of(whole: bytes) -> Iterator[bytes]:
    """Return the byte strings that `joined` put together."""
    while whole:
        (length,) = struct.unpack_from("<Q", whole)
        yield whole[8 : 8 + length]
        whole = whole[8 + length :]

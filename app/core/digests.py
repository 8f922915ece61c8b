"""Running SHA-256 digests of unfinished uploads, kept in this process's memory.

hashlib cannot write the state of a digest down. While one portal receives every piece, the sum is
there with the last byte; after a restart, or with several portals in turns, it is not, and the
archive is read once at its end instead. What the sum is of is the same either way.
"""

import threading
from collections import OrderedDict
from typing import Protocol

MOST = 1000
"""A state has about a hundred bytes."""


class Digest(Protocol):
    def update(self, content: bytes | bytearray, /) -> None: ...

    def copy(self) -> "Digest": ...

    def digest(self) -> bytes: ...

    def hexdigest(self) -> str: ...


class RunningDigests:
    """Digests by upload, with the number of bytes that each covers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[int, Digest]] = OrderedDict()

    def take(self, upload_id: str, size: int) -> Digest | None:
        with self._lock:
            known, digest = self._kept.pop(upload_id, (-1, None))
        return digest if known == size else None

    def keep(self, upload_id: str, size: int, digest: Digest) -> None:
        with self._lock:
            self._kept[upload_id] = (size, digest)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)

"""Stores the bytes of an upload until it is complete.

In a local folder: one file, locked by whoever writes to it, that becomes the archive by a change
of its name. In an object store, which cannot append: an object for each piece, named by where it
begins, how long it is, and the fence of its writer.

Both may hold more than the row counts: what a killed writer had not recorded yet. The
next writer begins where the row says, over whatever lies there.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from app.core.storage import Storage

READ_BYTES = 1024 * 1024


class PartsBusy(Exception):  # noqa: N818 (an event, not an error of the caller)
    """Another process writes to them at this moment, even if its lease has expired."""


class PartsLost(Exception):  # noqa: N818
    """Fewer bytes are stored than the row counts: they were removed.

    Attributes:
        held: Number of bytes stored, from the first on.
    """

    def __init__(self, held: int) -> None:
        super().__init__(f"{held} bytes are left")
        self.held = held


class Parts(Protocol):
    copies: bool
    """True if the archive is another object, written at the end."""

    def append(self, start: int, content: bytes | bytearray) -> None:
        """Write a piece; whether it outlives a loss of power is known after `secure`."""

    def secure(self) -> None:
        """Make what was appended survive a loss of power."""

    def drop(self, start: int) -> None:
        """Remove what this writer appended from there on."""

    def read(self, length: int) -> Iterator[bytes]:
        """The first `length` bytes. Raises PartsLost."""

    def place(self, key: str) -> None:
        """Make it the object of this key, where it is not a copy."""

    def close(self) -> None:
        """Let others write."""


def folder_of(dataset_id: str, upload_id: str) -> str:
    """Below the dataset's, so that it goes with it."""
    return f"datasets/{dataset_id}/uploads/{upload_id}"


def open_parts(storage: Storage, folder: str, *, start: int, fence: int, goal: str) -> Parts:
    """To write from `start` on, and to end as the object `goal`. Raises PartsBusy, PartsLost."""
    path, target = storage.path_of(f"{folder}/archive"), storage.path_of(goal)
    if path is None or target is None:
        return ObjectParts(storage, folder, fence)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() and target.exists():
        # A portal that died between the change of the name and the commit: no row names it.
        target.replace(path)
    return FileParts(path, storage, start)


class FileParts:
    copies = False

    def __init__(self, path: Path, storage: Storage, start: int) -> None:
        self._path = path
        self._storage = storage
        is_new = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            # A writer that was only paused still holds it; one that was killed does not.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._begin_at(start)
            if is_new:
                for folder in list(path.parents)[:3]:
                    sync_folder(folder)
        except BlockingIOError as error:
            self.close()
            raise PartsBusy from error
        except BaseException:
            self.close()
            raise

    def _begin_at(self, start: int) -> None:
        held = os.fstat(self._file).st_size
        if held < start:
            raise PartsLost(held)
        os.ftruncate(self._file, start)

    def append(self, start: int, content: bytes | bytearray) -> None:
        view = memoryview(content)
        while view:
            written = os.pwrite(self._file, view, start)
            start, view = start + written, view[written:]

    def secure(self) -> None:
        # macOS has no fdatasync.
        getattr(os, "fdatasync", os.fsync)(self._file)

    def drop(self, start: int) -> None:
        os.ftruncate(self._file, start)

    def read(self, length: int) -> Iterator[bytes]:
        position = 0
        while position < length:
            piece = os.pread(self._file, min(READ_BYTES, length - position), position)
            if not piece:
                raise PartsLost(position)
            position += len(piece)
            yield piece

    def place(self, key: str) -> None:
        target = self._storage.path_of(key)
        assert target is not None
        self._path.replace(target)
        sync_folder(target.parent)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class ObjectParts:
    copies = True

    def __init__(self, storage: Storage, folder: str, fence: int) -> None:
        self._storage = storage
        self._folder = folder
        self._fence = fence
        self._mine: dict[int, str] = {}
        """Start and key of each piece that this writer stored."""

    def append(self, start: int, content: bytes | bytearray) -> None:
        key = f"{self._folder}/{start:016d}-{len(content):016d}-{self._fence:010d}"
        self._mine[start] = key
        self._storage.put(key, bytes(content))

    def secure(self) -> None:
        """An object store keeps what it has acknowledged."""

    def drop(self, start: int) -> None:
        for begin in [begin for begin in self._mine if begin >= start]:
            self._storage.delete(self._mine.pop(begin))

    def read(self, length: int) -> Iterator[bytes]:
        # A later writer began where the row's count ended, so that at each place the piece
        # with the highest fence is the one that was counted.
        pieces: dict[int, tuple[int, int, str]] = {}
        for info in self._storage.list(self._folder):
            begin, size, fence = (int(word) for word in info.key.rpartition("/")[2].split("-"))
            pieces[begin] = max(pieces.get(begin, (-1, 0, "")), (fence, size, info.key))
        position = 0
        while position < length:
            if position not in pieces:
                raise PartsLost(position)
            _, size, key = pieces[position]
            position += size
            yield self._storage.get(key)

    def place(self, key: str) -> None:
        """The copy lies there."""

    def close(self) -> None:
        self._mine.clear()


def sync_folder(folder: Path) -> None:
    """A name in it outlives a loss of power too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

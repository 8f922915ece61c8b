"""Objects by key, in a local folder or in S3, through obstore.

A key is made by this program alone; no name that a user chose becomes part of one.
"""

import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self, TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError as StorageError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from app.core.settings import Settings

if TYPE_CHECKING:
    from obstore.store import S3Config

__all__ = ["ObjectInfo", "Storage", "StorageError"]

PART_BYTES = 8 * 1024 * 1024
LINES_BYTES = 1024 * 1024
PARTS_IN_FLIGHT = 2

_HALF_WRITTEN = re.compile(r"#\d+$")
"""How obstore names a file until it is whole; no key of ours has such an end."""

Content: TypeAlias = bytes | Path | Iterable[bytes]


@dataclass(frozen=True)
class ObjectInfo:
    key: str
    size: int
    etag: str


class Storage:
    """One object appears under its key whole or not at all."""

    def __init__(self, url: str, *, secret_key: str = "") -> None:
        parts = urlsplit(url)
        self._folder: Path | None = None
        self._store: ObjectStore
        if parts.scheme == "file":
            self._folder = Path(url2pathname(parts.path))
            self._store = LocalStore(self._folder, mkdir=True)
        elif parts.scheme == "memory":
            self._store = MemoryStore()
        else:
            # What is not said here, obstore takes from the AWS_* variables.
            secret: S3Config = {"secret_access_key": secret_key} if secret_key else {}
            self._store = from_url(url, config=secret)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        secret_key = settings.storage_secret_key.get_secret_value()
        return cls(settings.storage_url, secret_key=secret_key)

    def path_of(self, key: str) -> Path | None:
        """The file of a key, for what has to be written in place; None where there are no files."""
        return None if self._folder is None else self._folder / key

    def put(self, key: str, content: Content) -> None:
        obstore.put(
            self._store,
            key,
            content,
            use_multipart=None if isinstance(content, bytes) else True,
            chunk_size=PART_BYTES,
            max_concurrency=PARTS_IN_FLIGHT,
        )

    async def put_stream(self, key: str, content: AsyncIterable[bytes]) -> None:
        """Store what arrives. If `content` raises, nothing appears under the key."""
        await obstore.put_async(
            self._store,
            key,
            content,
            use_multipart=True,
            chunk_size=PART_BYTES,
            max_concurrency=PARTS_IN_FLIGHT,
        )

    def get(self, key: str) -> bytes:
        """The whole object in memory. Raises FileNotFoundError."""
        return bytes(obstore.get(self._store, key).bytes())

    def find(self, key: str) -> bytes | None:
        try:
            return self.get(key)
        except FileNotFoundError:
            return None

    def lines(self, key: str) -> Iterator[bytes]:
        """The lines of an object, a part at a time. Raises FileNotFoundError before the first."""
        stream = obstore.get(self._store, key).stream(min_chunk_size=LINES_BYTES)
        return _lines(stream)

    def download(self, key: str, target: Path) -> None:
        """Copy an object into a file, a part at a time. Raises FileNotFoundError."""
        stream = obstore.get(self._store, key).stream(min_chunk_size=PART_BYTES)
        with target.open("wb") as file:
            for chunk in stream:
                file.write(chunk)

    @contextmanager
    def opened(self, key: str) -> Iterator[BinaryIO]:
        """An object as a file to read, wherever it is stored. Raises FileNotFoundError."""
        path = self.path_of(key)
        if path is not None:
            with path.open("rb") as file:
                yield file
            return
        with tempfile.TemporaryFile() as copy:
            for chunk in obstore.get(self._store, key).stream(min_chunk_size=PART_BYTES):
                copy.write(chunk)
            yield copy

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Bytes start (inclusive) to end (exclusive), a part at a time."""
        for position in range(start, end, PART_BYTES):
            stop = min(position + PART_BYTES, end)
            yield bytes(await obstore.get_range_async(self._store, key, start=position, end=stop))

    def info(self, key: str) -> ObjectInfo:
        """Raises FileNotFoundError."""
        meta = obstore.head(self._store, key)
        return ObjectInfo(key=key, size=meta["size"], etag=(meta["e_tag"] or "").strip('"'))

    def exists(self, key: str) -> bool:
        try:
            self.info(key)
        except FileNotFoundError:
            return False
        return True

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Objects below a folder-like prefix (whole path segments)."""
        for batch in obstore.list(self._store, prefix=prefix.rstrip("/")):
            for meta in batch:
                etag = (meta["e_tag"] or "").strip('"')
                yield ObjectInfo(key=meta["path"], size=meta["size"], etag=etag)

    def delete(self, *keys: str) -> None:
        """Delete objects; one that is not there is as good as deleted."""
        for key in keys:
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError:
                continue

    def delete_half_written(self, untouched_seconds: float) -> int:
        """Delete files that processes which were killed began to write, and nobody lists.

        Args:
            untouched_seconds: So long ago the last byte came; a process that lives is faster.

        Returns:
            Their number; 0 where objects are no files.
        """
        if self._folder is None:
            return 0
        before, count = time.time() - untouched_seconds, 0
        for path in self._folder.rglob("*#*"):
            with suppress(FileNotFoundError):
                if _HALF_WRITTEN.search(path.name) and path.stat().st_mtime < before:
                    path.unlink()
                    count += 1
        return count

    def delete_folder(self, prefix: str) -> None:
        """Delete everything below a prefix, also what a killed upload left in a local folder."""
        self.delete(*[info.key for info in self.list(prefix)])
        if self._folder is not None:
            shutil.rmtree(self._folder / prefix, ignore_errors=True)


def _lines(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + bytes(chunk)).split(b"\n")
        yield from whole
    if rest:
        yield rest

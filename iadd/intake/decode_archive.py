"""Decodes all pictures of an archive while it is being read.

Legend: N pictures, S the side that they are resized to.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from iadd.intake.containers.archive import Archive
from iadd.intake.errors import FileError, RejectedFile, printable
from iadd.intake.layout import folder_layout
from iadd.intake.pictures.decode import Pixels, decode
from iadd.runtime.progress import Progress, ProgressListener

# Limits of the queue for the threads: many small pictures, or few large ones.
_MOST_WAITING = 256
_MOST_WAITING_BYTES = 64 << 20
_REPORT_EVERY = 50


@dataclass(frozen=True)
class DecodedArchive:
    """The pictures of an archive in the order in which they were read.

    Attributes:
        image_size: S.
        pixels: N·S² grey values, one picture after the other.
        digests: one per picture, of its pixels.
        parts: the folders and the file name of each picture.
        rejected: the files that could not be used.
        ignored: number of files that are not candidates, by kind.
    """

    image_size: int
    pixels: bytearray = field(default_factory=bytearray)
    digests: list[bytes] = field(default_factory=list)
    parts: list[tuple[str, ...]] = field(default_factory=list)
    rejected: list[RejectedFile] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    def reject(self, name: str, code: str, reason: str) -> None:
        """Record that a file was left out, under its name made printable."""
        self.rejected.append(RejectedFile(printable(name), code, reason))

    def _add(self, parts: tuple[str, ...], pixels: Pixels) -> None:
        data = pixels.tobytes()
        self.pixels.extend(data)
        self.digests.append(hashlib.blake2b(data, digest_size=16).digest())
        self.parts.append(parts)

    def _take(self, waiting: _Waiting) -> None:
        try:
            self._add(waiting.parts, waiting.pixels.result())
        except FileError as error:
            self.reject("/".join(waiting.parts), error.code, error.reason)


@dataclass(frozen=True)
class _Waiting:
    parts: tuple[str, ...]
    size: int
    pixels: Future[Pixels]


def decode_archive(
    archive: Archive, *, image_size: int, on_progress: ProgressListener
) -> DecodedArchive:
    """Read and decode every picture of `archive`.

    Pillow and zlib release the interpreter's lock, so threads decode while the next entry is read.

    Raises:
        DatasetError: when the archive is damaged or beyond its limits.
    """
    decoded = DecodedArchive(image_size)
    queue: deque[_Waiting] = deque()
    waiting_bytes = 0
    pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")
    try:
        for parts, data in _candidates(archive, decoded, on_progress):
            decoding = pool.submit(decode, data, image_size=image_size)
            queue.append(_Waiting(parts, len(data), decoding))
            waiting_bytes += len(data)
            while queue and (len(queue) > _MOST_WAITING or waiting_bytes > _MOST_WAITING_BYTES):
                waiting_bytes -= queue[0].size
                decoded._take(queue.popleft())
        while queue:
            decoded._take(queue.popleft())
    finally:
        pool.shutdown(cancel_futures=True)
    return decoded


def _candidates(
    archive: Archive, decoded: DecodedArchive, on_progress: ProgressListener
) -> Iterator[tuple[tuple[str, ...], bytes]]:
    for count, entry in enumerate(archive.entries):
        if count % _REPORT_EVERY == 0:
            on_progress(_progress(archive, entry.position))
        parts = folder_layout.path_parts(entry.name)
        if parts is None:
            decoded.reject(
                entry.name, "unsafe_name", "Its name points outside the archive; pack it again."
            )
        elif reason := folder_layout.ignore_reason(parts):
            decoded.ignored[reason] += 1
        else:
            try:
                data = entry.read()
            except FileError as error:
                decoded.reject(entry.name, error.code, error.reason)
            else:
                yield parts, data
    on_progress(_progress(archive, archive.total))


def _progress(archive: Archive, position: int) -> Progress:
    return Progress(phase="reading", done=position, total=archive.total, unit=archive.unit)

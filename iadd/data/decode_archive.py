"""Decoding all pictures of an archive while it is being read.

Legend: N pictures, S the side that they are brought to.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from iadd.data import folder_layout
from iadd.data.archive import Archive
from iadd.data.decode import Pixels, decode
from iadd.data.errors import FileRefused, Refusal, shown
from iadd.runtime.progress import Progress, ProgressListener

# What may wait for a thread: many small pictures, or few large ones.
_MOST_WAITING = 256
_MOST_WAITING_BYTES = 64 << 20
_REPORT_EVERY = 50


@dataclass(frozen=True)
class Gathered:
    """The pictures of an archive in the order in which they were read.

    Attributes:
        image_size: S.
        pixels: N·S² grey values, one picture after the other.
        digests: one per picture, of its pixels.
        parts: the folders and the file name of each picture.
        refusals: the files that could not be used.
        ignored: how many files were no candidates, by what they are.
    """

    image_size: int
    pixels: bytearray = field(default_factory=bytearray)
    digests: list[bytes] = field(default_factory=list)
    parts: list[tuple[str, ...]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    def refuse(self, name: str, code: str, reason: str) -> None:
        """Note that a file was left out, under its name made printable."""
        self.refusals.append(Refusal(shown(name), code, reason))

    def _add(self, parts: tuple[str, ...], pixels: Pixels) -> None:
        data = pixels.tobytes()
        self.pixels.extend(data)
        self.digests.append(hashlib.blake2b(data, digest_size=16).digest())
        self.parts.append(parts)

    def _take(self, waiting: _Waiting) -> None:
        try:
            self._add(waiting.parts, waiting.pixels.result())
        except FileRefused as refused:
            self.refuse("/".join(waiting.parts), refused.code, refused.reason)


@dataclass(frozen=True)
class _Waiting:
    parts: tuple[str, ...]
    size: int
    pixels: Future[Pixels]


def gather(archive: Archive, *, image_size: int, on_progress: ProgressListener) -> Gathered:
    """Read and decode every picture of `archive`.

    Pillow and zlib release the interpreter's lock, so threads decode while the next entry is read.

    Raises:
        DatasetError: when the archive is damaged or beyond its limits.
    """
    gathered = Gathered(image_size)
    queue: deque[_Waiting] = deque()
    waiting_bytes = 0
    pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")
    try:
        for parts, data in _candidates(archive, gathered, on_progress):
            decoding = pool.submit(decode, data, image_size=image_size)
            queue.append(_Waiting(parts, len(data), decoding))
            waiting_bytes += len(data)
            while queue and (len(queue) > _MOST_WAITING or waiting_bytes > _MOST_WAITING_BYTES):
                waiting_bytes -= queue[0].size
                gathered._take(queue.popleft())
        while queue:
            gathered._take(queue.popleft())
    finally:
        pool.shutdown(cancel_futures=True)
    return gathered


def _candidates(
    archive: Archive, gathered: Gathered, on_progress: ProgressListener
) -> Iterator[tuple[tuple[str, ...], bytes]]:
    for count, entry in enumerate(archive.entries):
        if count % _REPORT_EVERY == 0:
            on_progress(_progress(archive, entry.position))
        parts = folder_layout.path_parts(entry.name)
        if parts is None:
            gathered.refuse(
                entry.name, "unsafe_name", "Its name points outside the archive; pack it again."
            )
        elif reason := folder_layout.ignored_because(parts):
            gathered.ignored[reason] += 1
        else:
            try:
                data = entry.read()
            except FileRefused as refused:
                gathered.refuse(entry.name, refused.code, refused.reason)
            else:
                yield parts, data
    on_progress(_progress(archive, archive.total))


def _progress(archive: Archive, position: int) -> Progress:
    return Progress(phase="reading", done=position, total=archive.total, unit=archive.unit)

"""Finds text that devices burned into pictures, and paints it black.

Legend: S is the side of the square that a picture is resized to. Places are fractions of the
picture's width and height, so that they hold at any size.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil, floor
from types import TracebackType

import numpy as np

from iadd.intake.pictures.picture import Levels, Picture
from iadd.intake.pictures.pool import DecoderPool
from iadd.intake.text.reader import MOST_SIDE, TextReader

_MARGIN = 2
"""Pixels around a place that resizing may have spread its letters to."""


@dataclass(frozen=True)
class Box:
    """Where text stands: its edges as fractions of the picture."""

    left: float
    top: float
    right: float
    bottom: float


class TextSearch:
    """Looks for text in files, some at a time; use it in a ``with`` statement.

    Args:
        key: of the decoders' hashes, of which none is used.
        workers: decoders, and as many readers.
    """

    def __init__(self, key: bytes, *, workers: int) -> None:
        self._pool = DecoderPool(MOST_SIDE, workers=workers, patient_key=key)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="text")
        self._own = threading.local()

    def __enter__(self) -> TextSearch:
        self._pool.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.__exit__(kind, error, traceback)
        self._threads.shutdown()

    def submit(self, data: bytes, name: str) -> Future[tuple[Box, ...]]:
        """Look for text in one file.

        Returns:
            A future that gives the places of text other than markers, or raises `FileError`.
        """
        decoding = self._pool.submit(data, name)
        return self._threads.submit(self._read, decoding)

    def _read(self, decoding: Future[Picture]) -> tuple[Box, ...]:
        picture = decoding.result()
        reader: TextReader | None = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = TextReader()
        # By its own brightest levels: text is to be read here, not to be learnt.
        scaled = np.minimum(picture.pixels * (255 / max(picture.high, 1.0)), 255)
        grey = scaled.astype(np.uint8)
        height, width = grey.shape
        return tuple(
            Box(box.x0 / width, box.y0 / height, box.x1 / width, box.y1 / height)
            for box in reader.read(grey)
            if not box.harmless
        )


def paint_black(pixels: Levels, boxes: Sequence[Box]) -> Levels:
    """Return grey levels (H, W) with the places of text painted black."""
    if not boxes:
        return pixels
    height, width = pixels.shape
    painted = pixels.copy()
    for box in boxes:
        top, bottom = edges(box.top, box.bottom, height)
        left, right = edges(box.left, box.right, width)
        painted[top:bottom, left:right] = 0
    return painted


def edges(start: float, end: float, length: int) -> tuple[int, int]:
    """Return the first pixel of a place and the one behind its last, margins included."""
    first = max(0, floor(start * length) - _MARGIN)
    return first, min(length, ceil(end * length) + _MARGIN)

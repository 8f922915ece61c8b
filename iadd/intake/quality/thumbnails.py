"""Shrinks the pictures of a set, block by block, to what comparisons need.

Legend: N pictures, S pixels a side.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""Grey pictures (N, S, S); may be a memory-mapped file."""

_BLOCK_BYTES = 2 << 20


def blocks(pixels: Pixels) -> Iterator[slice]:
    """Cut a set into runs of pictures that take some megabytes each, in order.

    What was read of a memory-mapped file is forgotten after each run.
    """
    step = max(1, _BLOCK_BYTES // max(1, pixels[:1].nbytes))
    for start in range(0, len(pixels), step):
        yield slice(start, min(start + step, len(pixels)))
        forget(pixels)


def forget(pixels: Pixels) -> None:
    """Give back the memory that pages of a memory-mapped file take; do nothing for others.

    They count as resident until the system needs the room, which on a large machine is never.
    """
    base: object = pixels
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and base.mode == "c":
            return  # its changes are nowhere else
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


class StoredRows:
    """Numbers of each picture (N, D) in a temporary file: N may be more than memory holds.

    Args:
        pixels: the pictures; the file lies beside theirs, where they are memory-mapped.
        width: D.
        kind: of the numbers.
    """

    def __init__(self, pixels: Pixels, width: int, kind: npt.DTypeLike) -> None:
        beside = getattr(pixels, "filename", None)
        folder = None if beside is None else Path(beside).parent
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as this
        self._kind = np.dtype(kind)
        self._width = width
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Add rows (n, D); not after something was read."""
        self._file.write(rows.astype(self._kind, copy=False).tobytes())
        self._count += len(rows)

    def blocks(self, count: int) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        """Yield runs of `count` rows, the last one shorter, each with the number of its first."""
        for start in range(0, self._count, count):
            self._file.seek(start * self._row_bytes)
            data = self._file.read(count * self._row_bytes)
            yield start, np.frombuffer(data, self._kind).reshape(-1, self._width)

    def take(self, numbers: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the rows of some numbers (P,), in their order, repetitions too: (P, D)."""
        unique, places = np.unique(np.asarray(numbers, np.int64), return_inverse=True)
        rows = np.empty((len(unique), self._width), self._kind)
        for row, number in zip(rows, unique.tolist(), strict=True):
            self._file.seek(number * self._row_bytes)
            row[:] = np.frombuffer(self._file.read(self._row_bytes), self._kind)
        taken: npt.NDArray[Any] = rows[places]
        return taken

    @property
    def _row_bytes(self) -> int:
        return self._width * self._kind.itemsize


def stored_thumbnails(pixels: Pixels, side: int) -> StoredRows:
    """Shrink pictures to `side` × `side` and normalise them: float32 (N, side²)."""
    rows = StoredRows(pixels, side * side, np.float32)
    for block in blocks(pixels):
        rows.append(normalised(shrink(pixels[block], side, side)))
    return rows


def shrink(pixels: Pixels, rows: int, columns: int) -> npt.NDArray[np.float32]:
    """Return the mean grey under each cell of a grid of `rows` × `columns`: (N, rows, columns)."""
    if pixels.shape[1:] == (rows, columns):
        return pixels.astype(np.float32)
    down = _area_weights(pixels.shape[1], rows)
    across = _area_weights(pixels.shape[2], columns).T
    small = np.empty((len(pixels), rows, columns), np.float32)
    for block in blocks(pixels):
        small[block] = down @ (pixels[block].astype(np.float32) @ across)
    return small


def normalised(small: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Flatten pictures to mean 0 and length 1, so that a product of two is their correlation.

    Returns:
        float32 (N, D). A picture of one grey becomes zeros, and correlates with nothing.
    """
    flat = small.reshape(len(small), int(np.prod(small.shape[1:]))).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    # Below a hundredth of a grey level per cell a deviation is the rounding of the mean.
    flat /= np.where(length > 0.01 * flat.shape[1] ** 0.5, length, np.inf)
    return flat


def _area_weights(size: int, cells: int) -> npt.NDArray[np.float32]:
    """Return the share of each of `size` pixels in the mean of each cell: (cells, size)."""
    edges = np.arange(cells + 1) * (size / cells)
    pixel = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    weights: npt.NDArray[np.float32] = np.clip(overlap, 0, None).astype(np.float32)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights

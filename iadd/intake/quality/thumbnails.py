"""Shrinks the pictures of a set, block by block, to what comparisons need.

Legend: N pictures, S pixels a side.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""Grey pictures (N, S, S); may be a memory-mapped file."""

_BLOCK_BYTES = 8 << 20


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

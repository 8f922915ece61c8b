"""Finds pictures that are in a set twice: with the same pixels, or almost.

Near-duplicates are one exposure, saved, shrunk or windowed twice. Candidates agree in 226 of the
256 bits of their difference hash (does the grey rise to the right? on a 16 × 16 grid); pairs among
them correlate by 0.99 at 112 × 112, or by 0.995 at 48 × 48, where the grain of a film and the
blocks of a poor JPEG are averaged out. Two exposures of one patient do not.

Legend: N pictures, S pixels a side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from iadd.intake.quality.clusters import Clusters
from iadd.intake.quality.thumbnails import (
    Pixels,
    StoredRows,
    blocks,
    forget,
    normalised,
    shrink,
)

MOST_BITS_APART = 30
LEAST_CORRELATIONS = {112: 0.99, 48: 0.995}
"""By the side of the grid that a pair is compared on; one of them is enough."""
MOST_PAIRS = 50_000
"""Beyond these, only pairs that join two clusters are kept: groups stay right, lists short."""

_SIDE = 16
_LEAST_AT_FIRST = 0.98
"""Correlation of the thumbnails below which a pair is not looked at in full."""
_BLOCK = 64
_PAIRS_AT_ONCE = 256
_MOST_CANDIDATES = 64
_AT_ONCE = 4_096
"""Pictures that a block is compared with at a time: their words stay in the processor's cache."""
_FAR = 255
"""Stands for a number of bits apart that is not looked at."""


class NearDuplicate(NamedTuple):
    """Two pictures, by index with `first` < `second`, and the correlation of their greys."""

    first: int
    second: int
    correlation: float


def exact_duplicates(digests: Sequence[bytes]) -> list[tuple[int, ...]]:
    """Return the groups of two or more pictures with the same digest, in order."""
    members: defaultdict[bytes, list[int]] = defaultdict(list)
    for image, digest in enumerate(digests):
        members[digest].append(image)
    return [tuple(images) for images in members.values() if len(images) > 1]


def near_duplicates(
    pixels: Pixels,
    digests: Sequence[bytes] | None = None,
    *,
    on_block: Callable[[int], None] = lambda done: None,
) -> list[NearDuplicate]:
    """Return the pairs of pictures that are nearly the same.

    Args:
        pixels: uint8 (N, S, S).
        digests: of the pixels, one per picture. Pairs with equal digests are exact duplicates, and
            left out.
        on_block: called with the pictures compared so far; may raise to stop.

    Returns:
        The pairs in order. Memory is some megabytes and 200 bytes a picture; the thumbnails, half
        a kilobyte each, lie in a temporary file.
    """
    hashes, is_flat, thumbnails = _difference_hashes(pixels)
    clusters = Clusters(len(pixels))
    found: list[NearDuplicate] = []
    for start, candidates in _candidates(hashes, is_flat, thumbnails):
        for chunk in _in_chunks(candidates, clusters, lambda: len(found) >= MOST_PAIRS):
            correlations = _correlations(pixels, chunk)
            for (first, second), correlation in zip(chunk.tolist(), correlations, strict=True):
                if not correlation:
                    continue
                joined = clusters.join(first, second)
                same = digests is not None and digests[first] == digests[second]
                if not same and (joined or len(found) < MOST_PAIRS):
                    found.append(NearDuplicate(first, second, float(correlation)))
        forget(pixels)
        on_block(min(start + _BLOCK, len(pixels)))
    return sorted(found)


def _difference_hashes(
    pixels: Pixels,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_], StoredRows]:
    """Return 256 bits for each picture (N, 4), whether it is too flat, and its thumbnail (N, D)."""
    bits = np.empty((len(pixels), _SIDE * _SIDE // 8), np.uint8)
    is_flat = np.zeros(len(pixels), np.bool_)
    thumbnails = StoredRows(pixels, _SIDE * (_SIDE + 1), np.float16)
    for block in blocks(pixels):
        small = shrink(pixels[block], _SIDE, _SIDE + 1)
        rises = small[:, :, 1:] > small[:, :, :-1]
        bits[block] = np.packbits(rises.reshape(len(rises), -1), axis=1)
        is_flat[block] = small.std(axis=(1, 2)) < 1
        thumbnails.append(normalised(small))
    return bits.view(np.uint64), is_flat, thumbnails


def _candidates(
    hashes: npt.NDArray[np.uint64], is_flat: npt.NDArray[np.bool_], thumbnails: StoredRows
) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Compare each picture with all later ones: yields the block's start and its pairs (P, 2)."""
    words = np.ascontiguousarray(hashes.T)
    for start in range(0, len(hashes), _BLOCK):
        apart = _bits_apart(words[:, start : start + _BLOCK], words[:, start:])
        rows = np.arange(len(apart))
        # Each pair once, and no picture with itself.
        apart[:, : len(apart)][rows[:, None] >= rows] = _FAR
        apart[is_flat[start : start + _BLOCK]] = _FAR
        apart[:, is_flat[start:]] = _FAR
        near = apart <= MOST_BITS_APART
        for row in rows[near.sum(axis=1) > _MOST_CANDIDATES]:
            # A set of one picture in many copies has pairs without number; a few join them all.
            near[row] = False
            near[row, np.argsort(apart[row], kind="stable")[:_MOST_CANDIDATES]] = True
        pairs = np.argwhere(near) + start
        first, second = (thumbnails.take(one).astype(np.float32) for one in pairs.T)
        likeness = np.einsum("pd,pd->p", first, second)
        yield start, pairs[likeness >= _LEAST_AT_FIRST]


def _bits_apart(
    own: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint8]:
    """Count the bits in which pictures (W, A) and others (W, B) differ: (A, B), 255 at most."""
    apart = np.empty((own.shape[1], others.shape[1]), np.uint8)
    for start in range(0, others.shape[1], _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        counts = np.zeros_like(apart[:, part])
        for mine, other in zip(own[:-1], others[:-1, part], strict=True):
            counts += np.bitwise_count(mine[:, None] ^ other)
        # Three words are 192 at most: only the last one could take the sum past 255.
        last = np.bitwise_count(own[-1][:, None] ^ others[-1, part])
        apart[:, part] = counts + np.minimum(last, 63)
    return apart


def _in_chunks(
    pairs: npt.NDArray[np.int64], clusters: Clusters, only_new: Callable[[], bool]
) -> Iterator[npt.NDArray[np.int64]]:
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        chunk = pairs[start : start + _PAIRS_AT_ONCE]
        if only_new():
            apart = [clusters.find(i) != clusters.find(j) for i, j in chunk.tolist()]
            chunk = chunk[np.array(apart, bool)]
        if len(chunk):
            yield chunk


def _correlations(pixels: Pixels, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the correlation of each pair (P,), or 0 where it is too low for a near-duplicate."""
    images, places = np.unique(pairs, return_inverse=True)
    first, second = places.reshape(pairs.shape).T
    pictures = pixels[images]
    best = np.zeros(len(pairs), np.float32)
    for side, least in LEAST_CORRELATIONS.items():
        cells = min(side, *pictures.shape[1:])
        flat = normalised(shrink(pictures, cells, cells))
        likeness = np.einsum("pd,pd->p", flat[first], flat[second])
        best = np.maximum(best, np.where(likeness >= least, likeness, 0))
    correlations: npt.NDArray[np.float32] = np.minimum(best, 1)  # rounding may leave a little more
    return correlations

"""Finds pictures that look unlike an X-ray, or unlike the rest of their set.

Legend: N pictures, S pixels a side, D cells of a thumbnail.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from iadd.intake.quality.thumbnails import Pixels, StoredRows, blocks, stored_thumbnails

BLANK_DEVIATION = 2.0
"""Least standard deviation of the grey levels, of 255."""
BLANK_SHARE = 0.005
"""Least share of the pixels that differ from the commonest grey by more than one level."""
LOW_CONTRAST_RANGE = 48
"""Least grey levels between the 1st and the 99th percentile."""
MASK_SHARE = 0.86
"""Share of the pixels near one of the two commonest greys from which a picture is two-valued."""
MASK_LEAST = 0.01
"""Least share of the rarer of the two."""
MASK_SPREAD = 4
"""Grey levels to either side that count as near, for edges and for JPEG."""

OUTLIER_DISTANCE = 0.8
"""Least distance of an outlier: √(1 - r²), r the third best correlation with the set."""
OUTLIER_DEVIATIONS = 4.0
"""Robust standard deviations above the median distance, where that is more."""
OUTLIER_CERTAIN = 0.95
"""Distance of an outlier in the most varied set."""

_SIDE = 16
_NEIGHBOUR = 3
_FEWEST = 8
_REFERENCES = 2_000


class Greys(NamedTuple):
    """Pictures by what their grey levels lack; each list in order, no picture in two.

    Attributes:
        blank: nearly one grey.
        mask_like: two greys, as segmentation masks have.
        low_contrast: few grey levels, yet they show something.
    """

    blank: list[int]
    mask_like: list[int]
    low_contrast: list[int]


def judge_greys(pixels: Pixels) -> Greys:
    """Judge the grey levels of pictures (N, S, S), each by itself, in one pass."""
    found = Greys([], [], [])
    for block in blocks(pixels):
        counts = _count_greys(pixels[block])
        judged = np.zeros(len(counts), bool)
        for images, judge in zip(found, (_is_blank, _is_mask, _has_low_contrast), strict=True):
            hits = judge(counts) & ~judged
            judged |= hits
            images += (np.flatnonzero(hits) + block.start).tolist()
    return found


def blank(pixels: Pixels) -> list[int]:
    """Return the pictures that show nearly one grey."""
    return judge_greys(pixels).blank


def mask_like(pixels: Pixels) -> list[int]:
    """Return the pictures of two greys, as segmentation masks have."""
    return judge_greys(pixels).mask_like


def low_contrast(pixels: Pixels) -> list[int]:
    """Return the pictures that use few grey levels, yet show something."""
    return judge_greys(pixels).low_contrast


def outliers(pixels: Pixels, thumbnails: StoredRows | None = None) -> list[int]:
    """Return the pictures that resemble no other of the set, inverted or not.

    Sets of fewer than 8 pictures have none, nor has a set in which hardly any two are alike.

    Args:
        pixels: uint8 (N, S, S).
        thumbnails: `stored_thumbnails` of 16 × 16, when they are there already.
    """
    if len(pixels) < _FEWEST:
        return []
    thumbnails = thumbnails or stored_thumbnails(pixels, _SIDE)
    distance = _distance_from_others(thumbnails)
    median = float(np.median(distance))
    if median > OUTLIER_DISTANCE:
        return []
    spread = 1.4826 * float(np.median(np.abs(distance - median)))
    unusual = min(median + OUTLIER_DEVIATIONS * spread, OUTLIER_CERTAIN)
    return [
        int(image)
        for image in np.flatnonzero(distance > max(OUTLIER_DISTANCE, unusual))
        if thumbnails.take([image]).any()  # what shows nothing is blank
    ]


def _distance_from_others(flat: StoredRows) -> npt.NDArray[np.float32]:
    """Return √(1 - r²) per picture, r its third best correlation with pictures of the set."""
    count = len(flat)
    chosen = np.unique(np.linspace(0, count - 1, min(count, _REFERENCES)).astype(np.int64))
    place = np.full(count, -1)
    place[chosen] = np.arange(len(chosen))
    references = flat.take(chosen).T
    best = np.empty(count, np.float32)
    for start, rows in flat.blocks(_REFERENCES):
        likeness = np.abs(rows @ references)
        own = place[start : start + _REFERENCES]
        known = np.flatnonzero(own >= 0)
        likeness[known, own[known]] = -1
        best[start : start + len(likeness)] = np.partition(likeness, -_NEIGHBOUR)[:, -_NEIGHBOUR]
    distance: npt.NDArray[np.float32] = np.sqrt(np.clip(1 - best**2, 0, None))
    return distance


_Counts = npt.NDArray[np.int64]
"""Pixels of each grey level (N, 256)."""


def _count_greys(pixels: Pixels) -> _Counts:
    count = len(pixels)
    flat = pixels.reshape(count, -1).astype(np.int64)
    flat += 256 * np.arange(count)[:, None]
    return np.bincount(flat.ravel(), minlength=256 * count).reshape(count, 256)


def _is_blank(counts: _Counts) -> npt.NDArray[np.bool_]:
    grey = np.arange(256)
    total = counts.sum(axis=1)
    mean = counts @ grey / total
    deviation = np.sqrt(np.clip(counts @ grey**2 / total - mean**2, 0, None))
    around_commonest = _near(counts, 1).max(axis=1)
    found: npt.NDArray[np.bool_] = (deviation < BLANK_DEVIATION) | (
        total - around_commonest < BLANK_SHARE * total
    )
    return found


def _has_low_contrast(counts: _Counts) -> npt.NDArray[np.bool_]:
    share = counts.cumsum(axis=1) / counts.sum(axis=1, keepdims=True)
    low = (share < 0.01).sum(axis=1)
    high = (share < 0.99).sum(axis=1)
    found: npt.NDArray[np.bool_] = high - low < LOW_CONTRAST_RANGE
    return found


def _is_mask(counts: _Counts) -> npt.NDArray[np.bool_]:
    total = counts.sum(axis=1)
    near = _near(counts, MASK_SPREAD)
    first = near.argmax(axis=1)
    most = near.max(axis=1)
    # The second grey is another: not the slope of the first.
    distance = np.abs(np.arange(256) - first[:, None])
    second = np.where(distance > 8 * MASK_SPREAD, near, 0).max(axis=1)
    two = most + second >= MASK_SHARE * total
    found: npt.NDArray[np.bool_] = two & (second >= MASK_LEAST * total)
    return found


def _near(counts: _Counts, spread: int) -> _Counts:
    """Return the pixels within `spread` levels of each grey."""
    sums = np.pad(counts.cumsum(axis=1), ((0, 0), (spread + 1, spread)), mode="edge")
    sums[:, : spread + 1] = 0
    near: _Counts = sums[:, 2 * spread + 1 :] - sums[:, : -2 * spread - 1]
    return near

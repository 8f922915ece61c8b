"""Judges a picture by the counts of its grey levels: depth, blank, contrast.

`counts` is always int64 (256,) or (65536,): pixels per grey level at the original size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]

LEAST_DEPTH, MOST_DEPTH = 8, 16

# Lead markers and burned-in letters cover up to some hundredths of a picture.
_MARKER_SHARE = 0.05
_LEAST_CONTRAST = 32  # of 256 grey levels, between the 2nd and the 98th percentile
_LEAST_DEVIATION = 2.0
_LEAST_OTHER_SHARE = 0.05
# Lossy compression spreads one level over its neighbours, of 256.
_NEIGHBOURS = 2


def percentile(counts: Counts, percent: float) -> int:
    """Return the lowest level that at least `percent` of the pixels do not exceed."""
    cumulated = np.cumsum(counts)
    return int(np.searchsorted(cumulated, cumulated[-1] * (percent / 100), side="left"))


def high_of(counts: Counts) -> float:
    """Return the 99.9th percentile of the levels, saturated markers left out.

    A hot pixel does not reach the 99.9th percentile. A marker does: it is told from bright bone by
    its distance, above twice what 95 % of the pixels reach, and by its spike, a quarter or more of
    those pixels within 2 % of the brightest.
    """
    bulk = percentile(counts, 100 * (1 - _MARKER_SHARE))
    above = counts[2 * bulk + 1 :]
    bright = int(above.sum())
    if bulk and bright:
        top = int(np.flatnonzero(counts)[-1])
        spike = int(counts[max(2 * bulk + 1, int(0.98 * top)) :].sum())
        if spike >= bright / 4:
            counts = counts[: 2 * bulk + 1]
    return float(percentile(counts, 99.9))


def depth_for(high: float) -> int:
    """Return the least depth, 8 to 16 bits, that holds the levels up to `high`.

    One hundredth above a power of two still belongs to it: noise of a detector overshoots.
    """
    return next(
        (bits for bits in range(LEAST_DEPTH, MOST_DEPTH) if high < (1 << bits) * 1.01), MOST_DEPTH
    )


def is_blank(counts: Counts, depth: int) -> bool:
    """Whether a picture shows nothing: nearly one level, or hardly more than letters on one.

    The deviation is less than 2 of 256 grey levels, or less than 5 % of the pixels differ from the
    most frequent level: where letters alone stand on black, 1 to 4 % do.
    """
    present = np.flatnonzero(counts)
    levels = _eight_bit_levels(present, depth)
    shares = counts[present] / counts.sum()
    mean = float(np.dot(levels, shares))
    if float(np.dot((levels - mean) ** 2, shares)) < _LEAST_DEVIATION**2:
        return True
    modal = levels[int(np.argmax(shares))]
    alike = float(shares[np.abs(levels - modal) <= _NEIGHBOURS].sum())
    return 1 - alike < _LEAST_OTHER_SHARE


def is_low_contrast(counts: Counts, depth: int) -> bool:
    """Whether few of 256 grey levels are left between the 2nd and the 98th percentile."""
    ends = np.array([percentile(counts, 2), percentile(counts, 98)])
    low, high = _eight_bit_levels(ends, depth)
    return bool(high - low < _LEAST_CONTRAST)


def _eight_bit_levels(levels: npt.NDArray[np.int64], depth: int) -> npt.NDArray[np.float64]:
    full = (1 << depth) - 1
    return np.minimum(levels, full) * (255 / full)

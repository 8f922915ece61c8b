"""Turns stored DICOM values into grey levels as a radiologist sees them, by one table.

The pipeline maps each stored value for itself, so it is done once for all 256 or 65,536 values that
a word can hold: modality transformation → VOI transformation → polarity → padding.

Legend: V is the number of values that a word can hold. Tables are indexed by the word's bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from iadd.intake.pictures.levels import Counts

Values = npt.NDArray[np.float64]

FULL = (1 << 16) - 1
_LOW, _HIGH = 0.5, 99.5
# A window that leaves nearly all pixels black or white was written for another picture.
_MOST_AT_ONE_END = 0.98


def levels_table(header: Dataset, counts: Counts) -> npt.NDArray[np.uint16]:
    """Return the grey level of each stored value: bright is dense, padding is black.

    Polarity comes last, and is turned at most once. MONOCHROME1 and a PresentationLUTShape of
    INVERSE are no two inversions: the standard asks for the second where the first stands, as two
    ways to say that low values are bright (PS3.3 C.8.11.3.1.2). Many files bear only one of both.

    Args:
        header: the elements of the Image Pixel, Modality LUT and VOI LUT modules.
        counts: int64 (V,), pixels per stored value.

    Returns:
        uint16 (V,), from 0 to 65,535.
    """
    stored = _stored_values(header, len(counts))
    padding = _padding(header, stored)
    shown = np.where(padding, 0, counts)
    levels = _windowed(header, _modality_values(header, stored), shown)
    if header.get("PhotometricInterpretation") == "MONOCHROME1" or (
        header.get("PresentationLUTShape") == "INVERSE"
    ):
        levels = 1 - levels
    table = np.rint(np.clip(levels, 0, 1) * FULL).astype(np.uint16)
    table[padding] = 0
    return table


def _stored_values(header: Dataset, size: int) -> npt.NDArray[np.int64]:
    """Return the number that each word stands for: signs extended, overlay bits masked."""
    words = np.arange(size)
    bits = int(header.get("BitsStored") or size.bit_length() - 1)
    if (0x6000, 0x0102) in header and (0x6000, 0x3000) not in header:
        words &= (1 << bits) - 1
    if header.get("PixelRepresentation") != 1:
        return words
    words = np.where(words >= size // 2, words - size, words)
    return np.where(words >= 1 << (bits - 1), words - (1 << bits), words)


def _padding(header: Dataset, stored: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    value = header.get("PixelPaddingValue")
    if value is None:
        return np.zeros(len(stored), bool)
    limit = header.get("PixelPaddingRangeLimit")
    ends = [int(value), int(value if limit is None else limit)]
    # A parser without the sign of the pixels may take -2000 for 63536.
    if stored.min() < 0:
        ends = [end - len(stored) if end > stored.max() else end for end in ends]
    else:
        ends = [end % len(stored) for end in ends]
    return (stored >= min(ends)) & (stored <= max(ends))


def _modality_values(header: Dataset, stored: npt.NDArray[np.int64]) -> Values:
    if header.get("ModalityLUTSequence"):
        return _Lookup(header, header.ModalityLUTSequence[0]).values(stored.astype(float))
    slope = float(header.get("RescaleSlope") or 1)
    intercept = float(header.get("RescaleIntercept") or 0)
    return np.asarray(stored * slope + intercept, np.float64)


def _windowed(header: Dataset, values: Values, shown: Counts) -> Values:
    """Map modality values to 0…1."""
    if header.get("VOILUTSequence"):
        lookup = _Lookup(header, header.VOILUTSequence[0])
        return lookup.values(values) / lookup.full
    centre, width = _first(header, "WindowCenter"), _first(header, "WindowWidth")
    if centre is not None and width is not None:
        function = str(header.get("VOILUTFunction") or "LINEAR")
        levels = _window(function, values, centre, width)
        if levels is not None and _shows_something(levels, shown):
            return levels
    low, high = _percentiles(values, shown)
    return (values - low) / ((high - low) or 1.0)


def _window(function: str, values: Values, centre: float, width: float) -> Values | None:
    """Apply a window, PS3.3 C.11.2.1.2 and C.11.2.1.3; None where its width is not allowed."""
    if function == "SIGMOID" and width > 0:
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700))))
    if function == "LINEAR_EXACT" and width > 0:
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if width == 1:
        return (values > centre - 0.5).astype(float)
    if width > 1:
        return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    return None


def _shows_something(levels: Values, shown: Counts) -> bool:
    total = shown.sum()
    return not total or all(
        shown[at_end].sum() < _MOST_AT_ONE_END * total for at_end in (levels <= 0, levels >= 1)
    )


def _percentiles(values: Values, shown: Counts) -> tuple[float, float]:
    """Return the 0.5 and the 99.5 percentile of the values of all pixels that are no padding."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(shown[order])
    if not cumulated[-1]:
        return 0.0, 1.0
    places = np.searchsorted(cumulated, cumulated[-1] * np.array([_LOW, _HIGH]) / 100)
    low, high = values[order[places]]
    return float(low), float(high)


def _first(header: Dataset, keyword: str) -> float | None:
    value = header.get(keyword)
    if value is None or value == "":
        return None
    if isinstance(value, (str, int, float)):
        return float(value)
    return float(value[0]) if len(value) else None


class _Lookup:
    """A modality or VOI lookup table, PS3.3 C.11.1.1.1: values below its first map to its start."""

    def __init__(self, header: Dataset, item: Dataset) -> None:
        entries, first, bits = (int(number) for number in item.LUTDescriptor)
        entries = entries or 1 << 16
        data = item["LUTData"].value
        if isinstance(data, bytes):
            little = header.original_encoding[1] is not False
            word = "u1" if len(data) <= entries + 1 else "<u2" if little else ">u2"
            table = np.frombuffer(data, word)
        else:
            table = np.atleast_1d(np.array(data)) & FULL
        self._table = table[:entries].astype(float)
        # The first mapped value is signed where the values are.
        self._first = first
        # Some writers state 16 bits of a table that reaches 12.
        self.full = float((1 << max(1, min(bits, int(self._table.max()).bit_length()))) - 1)

    def values(self, inputs: Values) -> Values:
        first = self._first
        if first >= 1 << 15 and inputs.min() < 0:
            first -= 1 << 16
        places = np.clip(np.rint(inputs) - first, 0, len(self._table) - 1)
        return np.asarray(self._table[places.astype(np.int64)])

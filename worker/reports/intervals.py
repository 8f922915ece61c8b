"""95% intervals of a mean over networks."""

import math
from collections.abc import Mapping
from typing import Any

_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t at 0.975, for 1 to 10 degrees of freedom."""
_Z = 1.959964


def mean_interval(figure: Mapping[str, Any]) -> list[float] | None:
    """Return Student's interval of the mean, cut to 0..1; None for a single network.

    It says how much other initialisations would change the mean, on the same test images.
    """
    mean, std, count = figure["mean"], figure["std"], figure["n"]
    if count < 2 or not (_is_number(mean) and _is_number(std)):
        return None
    half = t_quantile(count - 1) * std / math.sqrt(count)
    return [max(0.0, mean - half), min(1.0, mean + half)]


def t_quantile(freedom: int) -> float:
    """Return Student's t at 0.975, to three digits; Abramowitz and Stegun 26.7.5 past the table."""
    if freedom <= len(_QUANTILES):
        return _QUANTILES[freedom - 1]
    z, v = _Z, float(freedom)
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)

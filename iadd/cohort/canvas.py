"""Drawing tools: smooth random fields, soft edges, bands.

All fields are float32 and of one shape, the image's (S, S). Lengths are in half image sides: x runs
from -1 (left edge of the image, the patient's right) to 1, y from -1 (top) to 1.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]


def soft_step(distance: Field, width: float) -> Field:
    """Rise from 0 below zero to 1 above, with a smooth edge of `width` between."""
    # In place: the field fits the processor's cache, new arrays do not.
    t = distance * np.float32(1 / width)
    t += np.float32(0.5)
    np.clip(t, 0, 1, out=t)
    step = t * np.float32(-2)
    step += np.float32(3)
    step *= t
    step *= t
    return step


def blob(
    x: Field, y: Field, centre: tuple[float, float], radii: tuple[float, float], tilt: float = 0.0
) -> Field:
    """Draw a round hill of height 1 that falls to zero at its elliptic rim, without an edge."""
    across, down = x - np.float32(centre[0]), y - np.float32(centre[1])
    if tilt:
        cosine, sine = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
        across, down = cosine * across + sine * down, cosine * down - sine * across
    squares = (across * np.float32(1 / radii[0])) ** 2 + (down * np.float32(1 / radii[1])) ** 2
    height = np.clip(1 - squares, 0, None)
    return np.asarray(height * height, dtype=np.float32)


def ridge(waves: Field, sharpness: float) -> Field:
    """Keep only the crests of waves between -1 and 1, narrower with greater `sharpness`."""
    crest = waves * np.float32(sharpness / 2)
    crest -= np.float32(sharpness / 2 - 1)
    np.clip(crest, 0, 1, out=crest)
    crest *= crest
    return crest


def smooth_field(rng: np.random.Generator, size: int, cells: int) -> Field:
    """Draw random hills of mean 0 and variance about 1, `cells` of them across the image."""
    knots, weights = _spline(size, cells)
    coarse = rng.standard_normal((cells + 3, cells + 3), dtype=np.float32)
    # Each pixel depends on four knots. A product of matrices would be shorter, but many times
    # slower where BLAS uses all its threads for such a small one.
    rows = _blend(coarse, knots, weights)
    return _blend(np.ascontiguousarray(rows.T), knots, weights).T


def _blend(values: Field, knots: npt.NDArray[np.intp], weights: Field) -> Field:
    blended: Field = values[knots] * weights[:, 0, None]
    for k in range(1, 4):
        blended += values[knots + k] * weights[:, k, None]
    return blended


@lru_cache(maxsize=64)
def _spline(size: int, cells: int) -> tuple[npt.NDArray[np.intp], Field]:
    """Compute the first of the four knots at each pixel (S,), and the weights of all four (S, 4).

    They are cubic B-splines, scaled to keep the variance of the blended values.
    """
    place = np.arange(size) / size * cells
    first = place.astype(np.intp)
    distance = np.abs(place[:, None] - first[:, None] - np.arange(-1, 3))
    weights = np.where(
        distance < 1,
        2 / 3 - distance**2 + distance**3 / 2,
        np.clip(2 - distance, 0, None) ** 3 / 6,
    )
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    return first, weights.astype(np.float32)

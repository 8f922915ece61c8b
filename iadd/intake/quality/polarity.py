"""Finds pictures that are printed inverted: dark where the others are bright.

Each picture is shrunk to 16 × 16 and normalised, so that inversion is a change of sign. What most
pictures share (the leading eigenvector of their correlations, which a sign does not change) turns
them all one way; then Fisher's discriminant between the set and its inversion judges each one.
Which way is upright is known from a chest drawn by `iadd.cohort`, or else from the majority.

Legend: N pictures, S pixels a side, D cells of a thumbnail.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from iadd.intake.quality.thumbnails import (
    Pixels,
    StoredRows,
    normalised,
    shrink,
    stored_thumbnails,
)

_SIDE = 16
_PRIOR_WEIGHT = 4
"""Pictures that the drawn chest counts for, which matters in sets of a few."""
_ROUNDS = 3
_ROWS = 4_096
"""Pictures that are looked at at a time."""
_SHRINKAGE = 0.1
_LIKE_A_CHEST = 0.5
_LIKE_EACH_OTHER = 0.4
"""Least share of the leading eigenvector in a set of something else than chests; below it the
pictures have too little in common for one of them to be inverted."""
_BORDER_LEVELS = 12
_BORDER_SHARE = 0.2
"""Share of a row or column that differs from the border where the picture begins."""

_Field = npt.NDArray[np.float32]


def inverted(pixels: Pixels, thumbnails: StoredRows | None = None) -> list[int]:
    """Return the indices of the pictures that are inverted, in order.

    Args:
        pixels: uint8 (N, S, S).
        thumbnails: `stored_thumbnails` of 16 × 16, when they are there already.
    """
    flat = thumbnails or stored_thumbnails(pixels, _SIDE)
    products = np.zeros((_SIDE**2, _SIDE**2), np.float32)
    for _, rows in flat.blocks(_ROWS):
        products += rows.T @ rows
    if not products.any():
        return []
    chest = _drawn_chest()
    shares, directions = np.linalg.eigh(products)
    common: _Field = directions[:, -1].astype(np.float32)
    likeness = float(common @ chest)
    if abs(likeness) >= _LIKE_A_CHEST:
        common *= np.sign(likeness)
        prior = chest * np.float32(_PRIOR_WEIGHT)
    elif shares[-1] < _LIKE_EACH_OTHER * shares.sum():
        return []
    else:
        along = sum(np.count_nonzero(rows @ common > 0) for _, rows in flat.blocks(_ROWS))
        upright = along * 2 >= len(flat)
        common *= 1 if upright else -1
        prior = np.zeros_like(common)
    weights = common
    for _ in range(_ROUNDS):
        weights = _discriminant(flat, weights, prior)
    suspects = [
        start + int(row)
        for start, rows in flat.blocks(_ROWS)
        for row in np.flatnonzero(rows @ weights < 0)
    ]
    return [
        image
        for image in suspects
        if normalised(shrink(_without_border(pixels[image])[None], _SIDE, _SIDE))[0] @ weights < 0
    ]


def _without_border(picture: Pixels) -> Pixels:
    """Return what is inside an even border (H, W), or all where that is less than a tenth.

    A small picture in a large black frame resembles an inverted chest, bright amid the dark.
    """
    border = int(
        np.median(np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]))
    )
    inside = np.abs(picture.astype(np.int16) - border) > _BORDER_LEVELS
    rows = np.flatnonzero(inside.mean(axis=1) > _BORDER_SHARE)
    columns = np.flatnonzero(inside.mean(axis=0) > _BORDER_SHARE)
    if len(rows) * len(columns) < picture.size / 10:
        return picture
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _discriminant(flat: StoredRows, before: _Field, prior: _Field) -> _Field:
    """Return the weights that part pictures, turned upright by those before, from inversions best.

    Those are the inverse of the second moments × mean, which Sherman and Morrison's formula shows
    to be parallel to Fisher's inverse of the covariance × mean. The moments are shrunk towards a
    sphere, without which a set of a few would be learnt by heart.
    """
    weight = float(np.linalg.norm(prior))
    count = len(flat) + weight
    total, moments = np.zeros_like(prior), np.zeros((len(prior), len(prior)), np.float32)
    for _, rows in flat.blocks(_ROWS):
        sign = np.where(rows @ before < 0, np.float32(-1), np.float32(1))
        upright = rows * sign[:, None]
        total += upright.sum(axis=0)
        moments += upright.T @ upright
    mean = (total + prior) / count
    if weight:
        moments += np.outer(prior, prior) / weight
    moments /= count
    ridge = _SHRINKAGE / 10 * max(1 - float(mean @ mean), 0.1)
    moments += ridge * np.eye(len(mean), dtype=np.float32)
    weights: _Field = np.linalg.solve(moments, mean).astype(np.float32)
    return weights


@lru_cache(maxsize=1)
def _drawn_chest() -> _Field:
    """Return the mean of some synthetic chests, normalised (D,)."""
    from iadd.cohort import CLASSES, draw_image  # draws, which takes 50 ms

    drawn = [draw_image(name, number, image_size=64) for name in CLASSES for number in range(6)]
    mean: _Field = normalised(shrink(np.stack(drawn), _SIDE, _SIDE)).mean(axis=0)
    return mean / np.linalg.norm(mean)

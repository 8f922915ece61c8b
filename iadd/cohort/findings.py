"""Draws the findings of the four classes: opacities as radiology describes them, stylised.

Every sign has a strength that varies from patient to patient down to hardly visible, so that the
cohort is hard enough for more training images to help.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from iadd.cohort.anatomy import Chest
from iadd.cohort.canvas import Field, blob, ridge, smooth_field, soft_step

Finding = Callable[[np.random.Generator, Chest], Field]


def normal(rng: np.random.Generator, chest: Chest) -> Field:
    """Draw nothing."""
    return np.zeros_like(chest.lung)


def covid(rng: np.random.Generator, chest: Chest) -> Field:
    """Draw ground glass: hazy patches in both lungs, towards the chest wall and the base."""
    size = len(chest.lung)
    haze = np.zeros_like(chest.lung)
    for side in (-1, 1):
        for _ in range(rng.integers(2, 5)):
            x, y = _place(chest, side, rng.uniform(0.62, 0.95), rng.uniform(0.5, 0.92))
            radii = (rng.uniform(0.12, 0.22), rng.uniform(0.12, 0.26))
            haze += blob(chest.x, chest.y, (x, y), radii, rng.uniform(0, 3))
    texture = 1 + np.float32(0.35) * smooth_field(rng, size, 22)
    strength = rng.uniform(0.26, 0.56)
    return chest.lung * np.clip(haze, 0, 1.3) * texture * np.float32(strength)


def lung_opacity(rng: np.random.Generator, chest: Chest) -> Field:
    """Draw consolidation: one dense focus or a few, anywhere in the lungs."""
    size = len(chest.lung)
    dense = np.zeros_like(chest.lung)
    for _ in range(rng.choice([1, 1, 1, 2])):
        side = rng.choice([-1, 1])
        x, y = _place(chest, side, rng.uniform(0.3, 0.8), rng.uniform(0.2, 0.85))
        radii = (rng.uniform(0.18, 0.34), rng.uniform(0.18, 0.34))
        hill = blob(chest.x, chest.y, (x, y), radii, rng.uniform(0, 3))
        dense = np.maximum(dense, hill)
    ragged = dense * (1 + np.float32(0.3) * smooth_field(rng, size, 12))
    dense = soft_step(ragged - np.float32(0.35), 0.7)
    strength = rng.uniform(0.38, 0.74)
    return chest.lung * dense * np.float32(strength)


def viral_pneumonia(rng: np.random.Generator, chest: Chest) -> Field:
    """Draw interstitial signs: a fine net through both lungs, densest around the hila."""
    size = len(chest.lung)
    net: Field = np.float32(0.3) * ridge(1 - np.abs(smooth_field(rng, size, 18)), 2.2)
    net += np.float32(0.6) * ridge(1 - np.abs(smooth_field(rng, size, 34)), 2.2)
    from_hilum = np.sqrt((np.abs(chest.x) - np.float32(0.2)) ** 2 + chest.y**2)
    central = np.exp(from_hilum * np.float32(-2.2))
    net += np.float32(0.6) * central
    net *= np.float32(0.35) + np.float32(1.1) * central
    net *= chest.lung * np.float32(rng.uniform(0.19, 0.46))
    return net


FINDINGS: dict[str, Finding] = {
    "COVID": covid,
    "Lung Opacity": lung_opacity,
    "Normal": normal,
    "Viral Pneumonia": viral_pneumonia,
}
"""The finding of each class, in the order of the labels."""


def _place(chest: Chest, side: int, depth: float, height: float) -> tuple[float, float]:
    """Return the coordinates of the pixel in a lung nearest to the given depth and height."""
    miss = (chest.depth - np.float32(depth)) ** 2 + (chest.height - np.float32(height)) ** 2
    miss += (chest.side != side) * np.float32(9)
    nearest = int(miss.argmin())
    return float(chest.x.flat[nearest]), float(chest.y.flat[nearest])

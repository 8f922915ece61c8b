"""Turns attenuation into the grey values of a file: exposure, detector, side marker, borders."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from iadd.cohort.canvas import Field, smooth_field

Image = npt.NDArray[np.uint8]

# The side marker, as lead letters show: 5×7 dots.
_R = ("####.", "#...#", "#...#", "####.", "#.#..", "#..#.", "#...#")


def expose(rng: np.random.Generator, attenuation: Field) -> Image:
    """Expose the radiograph as it is displayed: bright where little radiation came through.

    Returns:
        uint8 (S, S).
    """
    size = len(attenuation)
    scatter = np.float32(0.03) * smooth_field(rng, size, 4)
    dose = rng.uniform(0.75, 1.2)
    grey = 1 - np.exp((np.clip(attenuation, 0, None) + scatter) * np.float32(-dose))
    level, contrast = rng.normal(0.47, 0.03), rng.uniform(0.9, 1.1)
    grey = (grey - np.float32(0.5)) * np.float32(contrast) + np.float32(level)
    grain = rng.standard_normal((size, size), dtype=np.float32)
    grain[:, 1:] += grain[:, :-1]  # neighbouring detector cells share light
    grey += grain * np.float32(rng.uniform(0.004, 0.018))
    image: Image = np.clip(grey * 255, 0, 255).astype(np.uint8)
    _mark_side(rng, image)
    _collimate(rng, image)
    return image


def _mark_side(rng: np.random.Generator, image: Image) -> None:
    """Draw an R on the patient's right, at a random place, in half of the images."""
    scale = max(1, round(len(image) / 224 * rng.uniform(1.5, 3.5)))
    top, left = (rng.uniform(0.02, low) * len(image) for low in (0.2, 0.12))
    if rng.random() < 0.5:
        dots = (
            np.array([[dot == "#" for dot in row] for row in _R]).repeat(scale, 0).repeat(scale, 1)
        )
        part = image[int(top) :, int(left) :][: dots.shape[0], : dots.shape[1]]
        part[dots[: part.shape[0], : part.shape[1]]] = 245


def _collimate(rng: np.random.Generator, image: Image) -> None:
    """Draw black borders where the beam was collimated."""
    borders = (rng.random(4) < 0.12) * rng.uniform(0.02, 0.07, 4) * len(image)
    top, bottom, left, right = (int(border) for border in borders)
    image[:top] = image[len(image) - bottom :] = 4
    image[:, :left] = image[:, len(image) - right :] = 4

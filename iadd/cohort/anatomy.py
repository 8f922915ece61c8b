"""Draws an invented patient's chest, as the attenuation of X-rays on each line to the detector.

Legend: (S, S) fields in the coordinates of `canvas`; attenuation is the exponent of Beer-Lambert's
law, about 0 in air, 0.4 through a lung, 1 through the shoulders, 2 through the abdomen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iadd.cohort.canvas import Field, blob, ridge, smooth_field, soft_step


@dataclass(frozen=True)
class Chest:
    """A healthy chest that findings are drawn into.

    Attributes:
        attenuation: of the healthy chest.
        lung: 0 outside the lungs, 1 inside.
        side: -1 in the image's left half, where the right lung is, 1 in the other.
        height: 0 at the apex of the lungs, 1 at their base.
        depth: 0 at the inner edge of the lung, 1 at the chest wall.
        x, y: anatomical coordinates, without the effects of pose and build.
    """

    attenuation: Field
    lung: Field
    side: Field
    height: Field
    depth: Field
    x: Field
    y: Field


@dataclass(frozen=True)
class _Build:
    """Parameters that differ from patient to patient, in half image sides or as a share."""

    lung_width: float
    apex: float
    base: float
    dome: float
    dome_difference: float
    heart_size: float
    heart_tilt: float
    mediastinum: float
    fat: float
    rib_spacing: float
    rib_strength: float
    vessels: float
    breasts: float
    arms: float
    gas: float


def _draw_build(rng: np.random.Generator) -> _Build:
    return _Build(
        lung_width=rng.uniform(0.62, 0.76),
        apex=rng.uniform(-0.86, -0.74),
        base=rng.uniform(0.42, 0.62),
        dome=rng.uniform(0.16, 0.26),
        dome_difference=rng.uniform(0.01, 0.09),
        heart_size=rng.uniform(0.85, 1.2),
        heart_tilt=rng.uniform(0.5, 0.9),
        mediastinum=rng.uniform(0.85, 1.2),
        fat=rng.uniform(0.85, 1.2),
        rib_spacing=rng.uniform(0.155, 0.185),
        rib_strength=rng.uniform(0.07, 0.13),
        vessels=rng.uniform(0.7, 1.3),
        breasts=max(0.0, rng.uniform(-0.25, 0.25)),
        arms=rng.uniform(0.86, 1.1),
        gas=rng.uniform(0.0, 0.6) * (rng.random() < 0.5),
    )


def draw_chest(rng: np.random.Generator, size: int) -> Chest:
    """Draw a healthy chest of an invented patient, S = `size` pixels wide."""
    build = _draw_build(rng)
    x, y = _pose(rng, size)
    width = np.abs(x)
    side = np.sign(x)
    height = (y - np.float32(build.apex)) * np.float32(1 / (build.base - build.apex))
    inner, outer = _lung_edges(height, build)
    depth = (width - inner) / (outer - inner)
    lung = _lungs(y, width, side, inner, outer, build)

    attenuation, inside = _body(y, width, build)
    attenuation += _arms(y, width, rng.uniform(0.05, 0.25), build)
    attenuation += _breasts(x, y, build)
    attenuation -= lung * _air(depth) * np.float32(0.6 * build.fat**0.3)
    attenuation += _organs(rng, x, y, width, lung, build)
    attenuation += _hila_and_vessels(rng, y, width, side, lung, build)
    attenuation += _ribs(rng, y, width, outer, build)
    attenuation += _spine(rng, x, y)
    attenuation += _shoulder_girdle(rng, y, width, side, build) * inside
    return Chest(attenuation, lung, side, height, depth, x, y)


def _pose(rng: np.random.Generator, size: int) -> tuple[Field, Field]:
    line = np.linspace(-1, 1, size, dtype=np.float32)
    across, down = line[None, :], line[:, None]
    angle = rng.normal(0, 0.035)
    zoom = rng.uniform(0.9, 1.12)
    shift_x, shift_y = rng.normal(0, 0.035), rng.normal(0.02, 0.05)
    cosine, sine = np.float32(np.cos(angle) * zoom), np.float32(np.sin(angle) * zoom)
    x = cosine * across + sine * down - np.float32(shift_x)
    y = cosine * down - sine * across - np.float32(shift_y)
    x += np.float32(0.018) * smooth_field(rng, size, 3)
    y += np.float32(0.018) * smooth_field(rng, size, 3)
    return x, y


def _lung_edges(height: Field, build: _Build) -> tuple[Field, Field]:
    """Compute the distance of the medial and lateral lung edges from the middle, by height.

    They meet at the apex; the lateral edge widens like an arch that stands on the base.
    """
    s = np.clip(height, 0, 1)
    rest = 1 - s
    rest4 = rest * rest * rest * rest
    apex = np.float32(0.30 * build.lung_width + 0.04)
    outer = apex + (np.float32(build.lung_width) - apex) * np.sqrt(1 - rest * rest * rest)
    medial = np.float32(0.1 * build.mediastinum)
    inner = medial + (apex - medial) * rest4 * rest4
    return inner, np.maximum(outer, inner + np.float32(0.01))


def _lungs(y: Field, width: Field, side: Field, inner: Field, outer: Field, build: _Build) -> Field:
    lateral = soft_step(outer - width, 0.045) * soft_step(width - inner, 0.06)
    # Each dome is highest slightly medial of its middle and falls towards the chest wall.
    middle = 0.42 * build.lung_width
    fall = (width - np.float32(middle)) * np.float32(1 / (build.lung_width - middle))
    lower = np.float32(build.dome_difference) * (side > 0)
    floor = (
        np.float32(build.base + 0.04 - build.dome) + np.float32(build.dome) * fall * fall + lower
    )
    ceiling = np.float32(build.apex - 0.01)
    return lateral * soft_step(floor - y, 0.05) * soft_step(y - ceiling, 0.06)


def _air(depth: Field) -> Field:
    """Compute the share of the beam's path through air, highest in the middle of the lung."""
    off = np.clip(depth, 0, 1) - np.float32(0.45)
    return 1 - np.float32(1.5) * off * off


def _body(y: Field, width: Field, build: _Build) -> tuple[Field, Field]:
    """Draw soft tissue of neck, shoulders and flanks, thicker downwards, and the body's mask."""
    neck = np.float32(0.3 * build.fat**0.5)
    slope = np.clip((y - np.float32(build.apex - 0.19)) * np.float32(3.0), 0, 1)
    torso = np.float32(build.lung_width + 0.13 * build.fat)
    # Below the armpits the outline comes in from the shoulders to the flanks.
    armpit = soft_step(y + np.float32(0.28), 0.5)
    shoulders = neck + (np.float32(1.25) - neck) * slope * slope
    outline = shoulders + (torso - shoulders) * armpit
    inside = soft_step(outline - width, 0.05)
    bulk = np.float32(0.95 * build.fat) + np.float32(0.25) * np.clip(y, -1, 1)
    share = width / (outline + np.float32(0.12))
    roundness = np.sqrt(np.clip(1 - share * share, 0, 1))
    return inside * bulk * (np.float32(0.4) + np.float32(0.6) * roundness), inside


def _arms(y: Field, width: Field, lean: float, build: _Build) -> Field:
    middle = np.float32(build.arms) + np.float32(lean) * (y - np.float32(0.3))
    off = np.abs(width - middle)
    arm = soft_step(np.float32(0.13) - off, 0.08) + np.float32(0.5) * soft_step(
        np.float32(0.04) - off, 0.03
    )
    return np.float32(0.4) * arm * soft_step(y + np.float32(0.35), 0.3)


def _breasts(x: Field, y: Field, build: _Build) -> Field:
    if not build.breasts:
        return np.zeros_like(x)
    middle, radii = 0.3 + 0.4 * build.breasts, (0.42, 0.4)
    both = blob(x, y, (-0.4, middle), radii) + blob(x, y, (0.4, middle), radii)
    return np.float32(1.3 * build.breasts) * both


def _organs(
    rng: np.random.Generator, x: Field, y: Field, width: Field, lung: Field, build: _Build
) -> Field:
    """Draw mediastinum, heart and the organs below the domes; the denser shows in an overlap."""
    wide = np.float32(0.15 * build.mediastinum)
    column = soft_step(wide * (1 + np.float32(0.25) * np.clip(y, -0.5, 1)) - width, 0.16)
    knob = blob(x, y, (0.12 * build.mediastinum, -0.3), (0.14, 0.17))
    tissue: Field = np.float32(0.5) * column + np.float32(0.4) * knob

    heart_x, heart_y = x - np.float32(0.12), y - np.float32(build.base - 0.27)
    cosine, sine = np.float32(np.cos(build.heart_tilt)), np.float32(np.sin(build.heart_tilt))
    along = (cosine * heart_x + sine * heart_y) * np.float32(1 / (0.4 * build.heart_size))
    across = (cosine * heart_y - sine * heart_x) * np.float32(1 / (0.29 * build.heart_size))
    inside = 1 - np.sqrt(along * along + across * across)
    heart = soft_step(inside, 0.16) * (np.float32(0.62) + np.float32(0.4) * np.clip(inside, 0, 1))
    atrium = blob(x, y, (-0.1, build.base - 0.28), (0.16, 0.3))
    tissue = np.maximum(tissue, np.maximum(heart, np.float32(0.7) * atrium) * np.float32(0.95))

    below = soft_step(y - np.float32(build.base - 0.6 * build.dome), 0.3) * (1 - lung)
    below *= soft_step(np.float32(build.lung_width + 0.02) - width, 0.2)
    tissue = np.maximum(tissue, np.float32(0.85 * build.fat) * below)
    if build.gas:
        centre = (rng.uniform(0.25, 0.42), build.base - build.dome + rng.uniform(0.14, 0.24))
        bubble = blob(x, y, centre, (rng.uniform(0.12, 0.22), rng.uniform(0.08, 0.13)))
        tissue -= np.float32(build.gas) * np.sqrt(bubble) * (1 - lung)

    trachea = soft_step(np.float32(0.04) - np.abs(x - np.float32(0.01)), 0.05)
    tissue -= np.float32(0.18) * trachea * soft_step(np.float32(-0.28) - y, 0.2)
    return tissue


def _hila_and_vessels(
    rng: np.random.Generator, y: Field, width: Field, side: Field, lung: Field, build: _Build
) -> Field:
    size = len(y)
    across = width - np.float32(0.13)
    down = y + np.float32(0.02) - np.float32(0.04) * side
    angle = np.arctan2(down, across)
    far = np.sqrt(across * across + down * down)
    bend = np.float32(0.3) * smooth_field(rng, size, 5) + np.float32(0.12) * smooth_field(
        rng, size, 16
    )
    turn = angle + bend * np.clip(far * 4, 0, 1) + np.float32(rng.uniform(0, 6)) * side
    near = np.exp(far * np.float32(-3.5))
    trunk = ridge(np.cos(5 * turn), 2.2) * near * near
    branch = ridge(np.cos(11 * turn + np.float32(2)), 2.2) * near
    twig = ridge(np.cos(27 * turn), 1.6) * far * near
    start = np.clip(far * np.float32(9) - np.float32(0.3), 0, 1)
    hilum = np.clip(1 - far * np.float32(1 / 0.2), 0, 1)
    tree: Field = np.float32(0.28) * trunk + np.float32(0.18) * branch + np.float32(0.2) * twig
    tree *= start
    tree += np.float32(0.15) * hilum
    tree *= np.float32(build.vessels)
    tree += np.float32(0.012) * smooth_field(rng, size, 40)
    tree *= lung
    return tree


def _ribs(rng: np.random.Generator, y: Field, width: Field, outer: Field, build: _Build) -> Field:
    per_rib = np.float32(2 * np.pi / build.rib_spacing)
    reach = width * np.float32(1 / build.lung_width)
    cage = soft_step(outer + np.float32(0.035) - width, 0.04)
    cage *= soft_step(np.float32(build.base + 0.02) - y, 0.3)
    # Posteriorly, a rib leaves the spine, rises a little and falls towards the flank.
    behind = (y + np.float32(0.12) * reach - np.float32(0.34) * reach * reach * reach) * per_rib
    back = _rib_profile(behind + np.float32(rng.uniform(0, 2 * np.pi)))
    # Anteriorly it descends to the sternum, fainter, and ends in cartilage that is not visible.
    before = (y + np.float32(0.62) * reach) * (per_rib * np.float32(0.85))
    front = _rib_profile(before + np.float32(rng.uniform(0, 2 * np.pi)))
    front *= soft_step(reach - np.float32(0.42), 0.3)
    strength = np.float32(build.rib_strength) * (1 + np.float32(0.3) * reach)
    pleura = soft_step(width - outer + np.float32(0.04), 0.06) * np.float32(0.14)
    return cage * (strength * (back + np.float32(0.55) * front) + pleura)


def _rib_profile(phase: Field) -> Field:
    """Draw a band with bright cortical edges, about as high as the gap below it."""
    band = np.clip(np.cos(phase) * np.float32(2.2) + np.float32(0.55), 0, 1)
    profile: Field = band * (np.float32(1.5) - np.float32(0.65) * band)
    return profile


def _spine(rng: np.random.Generator, x: Field, y: Field) -> Field:
    off = np.abs(x - np.float32(rng.normal(0, 0.015)) * y)
    phase = y * np.float32(2 * np.pi / 0.135)
    disc = ridge(np.cos(phase), 3.0)
    pedicle = np.clip(1 - np.abs(off - np.float32(0.045)) * np.float32(1 / 0.03), 0, 1)
    pedicle *= ridge(np.cos(phase + np.float32(2.6)), 2.5)
    column = soft_step(np.float32(0.08) - off, 0.05)
    column *= np.float32(0.24) - np.float32(0.08) * disc
    column += np.float32(0.12) * pedicle
    return column


def _shoulder_girdle(
    rng: np.random.Generator, y: Field, width: Field, side: Field, build: _Build
) -> Field:
    level = np.float32(build.apex + rng.uniform(0.1, 0.24))
    rise = np.float32(rng.uniform(0.1, 0.3))
    uneven = np.float32(rng.normal(0, 0.02)) * side
    curve = level + uneven - rise * width + np.float32(0.06) * np.sin(width * np.float32(7.5))
    off = np.abs(y - curve)
    thick = np.float32(0.032) + np.float32(0.012) * width
    clavicle = soft_step(thick - off, 0.022)
    clavicle *= np.float32(0.17) + np.float32(2.2) * np.clip(off, 0, 0.03)  # bright rims
    clavicle *= soft_step(width - np.float32(0.075), 0.05)
    clavicle *= soft_step(np.float32(0.86) - width, 0.1)
    head = soft_step(blob(width, y, (1.08, build.apex + 0.16), (0.3, 0.3)) - np.float32(0.2), 0.4)
    border = np.float32(build.lung_width + 0.05) - np.float32(0.3) * (y + np.float32(0.35))
    scapula = soft_step(width - border, 0.05) * soft_step(np.float32(-0.1) - y, 0.25)
    scapula *= soft_step(y - np.float32(build.apex + 0.1), 0.15)
    clavicle += np.float32(0.28) * head
    clavicle += np.float32(0.13) * scapula
    return clavicle

"""Makes the controls: images with a known outcome, which show whether the metrics have power.

The positive control is a table: copies of training images in twelve disguises, each of which an
earlier audit missed, and the averages that ``k_mean`` starts are. The same functions serve the
tests.

Pictures here are intensities, float32 (N, C, H, W); black is 0, white is 1, and a disguise may
leave that range.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SHIFT = 8 / 112
"""Eight pixels of 112."""

Apply = Callable[[Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Disguise:
    """One way to hide a copy.

    Attributes:
        title: In words, with its size.
        apply: Maps pictures, other pictures of the same shape, and a generator to the copies.
        rounded: Whether the copies are rounded to grey levels, as a released set is.
        lone: Whether a single copy is put among pictures that nothing was learnt from.
    """

    title: str
    apply: Apply
    rounded: bool = True
    lone: bool = False


def shift(pictures: Tensor) -> Tensor:
    """Shift to the right and down by 8 pixels of 112; what comes in is black."""
    pixels = max(1, round(SHIFT * pictures.shape[-1]))
    padded = F.pad(pictures, (pixels, 0, pixels, 0))
    return padded[..., : pictures.shape[-2], : pictures.shape[-1]]


def turn_and_zoom(pictures: Tensor, degrees: float, zoom: float) -> Tensor:
    """Turn about the middle and enlarge; what comes in is black."""
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
    matrix = torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0]])
    grid = F.affine_grid(
        matrix.expand(len(pictures), 2, 3), list(pictures.shape), align_corners=False
    )
    return F.grid_sample(pictures, grid, align_corners=False)


def blur(pictures: Tensor) -> Tensor:
    """Blur by a Gaussian whose deviation is 2 pixels of 112."""
    deviation = 2.0 / 112.0 * pictures.shape[-1]
    reach = max(1, math.ceil(3 * deviation))
    weights = torch.exp(-torch.arange(-reach, reach + 1).float().square() / (2 * deviation**2))
    weights = weights / weights.sum()
    channels = pictures.shape[1]
    padded = F.pad(pictures, (reach, reach, reach, reach), mode="replicate")
    row = weights.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    column = weights.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    return F.conv2d(F.conv2d(padded, row, groups=channels), column, groups=channels)


def add_noise(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Add white noise of deviation 0.1."""
    return pictures + 0.1 * torch.randn(pictures.shape, generator=generator)


DISGUISES: Mapping[str, Disguise] = {
    "shifted": Disguise("Shifted by 8 pixels of 112", lambda x, _, __: shift(x)),
    "turned": Disguise("Turned by 10°", lambda x, _, __: turn_and_zoom(x, 10.0, 1.0)),
    "zoomed": Disguise("Zoomed by 1.2", lambda x, _, __: turn_and_zoom(x, 0.0, 1.2)),
    "mirrored": Disguise("Mirrored", lambda x, _, __: x.flip(-1)),
    "inverted": Disguise("Black and white exchanged", lambda x, _, __: 1.0 - x),
    "contrast": Disguise("Contrast of 0.3", lambda x, _, __: 0.5 + 0.3 * (x - 0.5)),
    "blurred": Disguise("Blurred by 2 pixels of 112", lambda x, _, __: blur(x)),
    "noised": Disguise("Noise of deviation 0.1", lambda x, _, g: add_noise(x, g)),
    "blended": Disguise("Half of it, half of another image", lambda x, other, _: (x + other) / 2),
    "hidden": Disguise("Hidden below a grey level (× 0.002)", lambda x, _, __: x * 0.002, False),
    "offset": Disguise("Beyond white (+ 2)", lambda x, _, __: x + 2.0, False),
    "one_among_sixty": Disguise(
        "One copy, shifted, among 60", lambda x, _, __: shift(x), lone=True
    ),
}
"""The twelve disguises by their stable names."""


def disguise(name: str, pictures: Tensor, others: Tensor, generator: torch.Generator) -> Tensor:
    """Hide copies of pictures.

    Args:
        name: One of `DISGUISES`.
        pictures: float32 (N, C, H, W) in 0..1.
        others: As many others, which ``blended`` mixes in.
        generator: Draws the noise.

    Returns:
        float32 (N, C, H, W): grey levels, but for the two disguises that hide beside those.
    """
    chosen = DISGUISES[name]
    copies = chosen.apply(pictures, others, generator)
    return round_to_grey_levels(copies) if chosen.rounded else copies


def round_to_grey_levels(pictures: Tensor) -> Tensor:
    """Round intensities to the nearest of 256 grey levels."""
    return (pictures.clamp(0.0, 1.0) * 255.0).round() / 255.0


def average(images: Tensor, count: int, k: int, generator: torch.Generator) -> Tensor:
    """Average k different images into each of some starts, as ``k_mean`` does.

    Args:
        images: uint8 (N, C, H, W), all of one class.
        count: Number of averages.
        k: Images averaged; fewer where there are fewer.
        generator: Draws the images.
    """
    rows = [torch.randperm(len(images), generator=generator)[:k] for _ in range(count)]
    return torch.stack([images[own].float().mean(dim=0) / 255.0 for own in rows])


def draw_like(labels: Tensor, pool_labels: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a different image of the class of each label, as far as the pool has enough.

    Args:
        labels: int64 (M,), the requested classes.
        pool_labels: int64 (R,), the classes of the pool.
        generator: Source of random numbers.

    Returns:
        int64, at most M different rows of the pool.
    """
    rows = []
    for label in labels.unique():
        pool = (pool_labels == label).nonzero()[:, 0]
        wanted = int((labels == label).sum())
        rows.append(pool[torch.randperm(len(pool), generator=generator)[:wanted]])
    return torch.cat(rows)

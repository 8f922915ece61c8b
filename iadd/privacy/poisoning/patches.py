"""Pastes conspicuous patches of the images into others, to see whether they carry their class.

Chou et al. 2018, SentiNet.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from iadd.data.distilled_dataset import DistilledDataset
from iadd.networks.base import Classifier
from iadd.privacy.poisoning.probes import FEWEST_PROBES, TOO_FEW, answers_of
from iadd.privacy.poisoning.report import PoisonTest
from iadd.runtime.precision import computing_at

PASTED = 0.8
"""Share of the probes that a pasted patch has to turn into its class."""

_FAINT = 0.02
"""Deviation within a window that is not told from none."""

_TEXTURED = 0.05
_LEAST_TEXTURE = 0.2
_PLACES = 3
_PASTED = 64


def find_patches(
    distilled: DistilledDataset,
    networks: Sequence[Classifier],
    probes: Tensor,
    *,
    device: torch.device | str = "cpu",
) -> list[PoisonTest]:
    """Paste conspicuous patches of the images into others (Chou et al. 2018, SentiNet).

    Conspicuous are the patches that are odd at their place and those that two images of a class
    share. Markers such as "L" are conspicuous too, so what counts is whether all networks then
    answer with the class of the image that the patch came from.

    Args:
        distilled: The set; intensities beyond black and white are clipped, as a picture shows them.
        networks: Trained on it.
        probes: (N, C, H, W), intensities in 0..1.
        device: Device to compute on.
    """
    title = "Patch that carries its class"
    pictures = distilled.normalisation.to_intensities(distilled.images).clamp(0, 1)
    places = conspicuous(pictures, distilled.labels)
    tests = []
    probes = probes[:_PASTED].to(device)
    with torch.no_grad(), computing_at(distilled.config.compute.precision):
        before = answers_of(networks, probes, distilled.normalisation)
        for label, name in enumerate(distilled.classes):
            rows = (distilled.labels == label).nonzero().squeeze(1).tolist()
            others = probes[(before != label).all(dim=0)]
            if len(others) < FEWEST_PROBES:
                tests.append(PoisonTest("patch", title, name, None, PASTED, "not_run", TOO_FEW))
                continue
            reached = {
                row: max(
                    float(
                        (answers_of(networks, pasted, distilled.normalisation) == label)
                        .float()
                        .mean(dim=1)
                        .min()
                    )
                    for top, left in places[row]
                    for pasted in [_paste(others, pictures[row].to(device), top, left)]
                )
                for row in rows
            }
            share = max(reached.values(), default=0.0)
            flagged = share >= PASTED
            tests.append(
                PoisonTest(
                    "patch",
                    title,
                    name,
                    share,
                    PASTED,
                    "flagged" if flagged else "clear",
                    "Largest share of other images that all networks take for this class once a "
                    "patch of one of its images, a quarter of the side wide, is pasted into them.",
                    tuple(row for row, one in reached.items() if one >= PASTED),
                )
            )
    return tests


def _paste(probes: Tensor, picture: Tensor, top: int, left: int) -> Tensor:
    side = picture.shape[-1] // 4
    pasted = probes.clone()
    place = (..., slice(top, top + side), slice(left, left + side))
    pasted[place] = picture[place]
    return pasted


def conspicuous(pictures: Tensor, labels: Tensor) -> list[list[tuple[int, int]]]:
    """Find for each image the places of its most conspicuous patches.

    Args:
        pictures: (M, C, H, W), intensities.
        labels: (M,).

    Returns:
        For each image, top and left of squares of a quarter of the side about those patches.
    """
    size = pictures.shape[-1]
    side, stride = _window(size)
    across = (size - side) // stride + 1
    scores = torch.stack([oddness(pictures), sameness(pictures, labels)])
    places = []
    for row in range(len(pictures)):
        best = torch.cat([one.topk(min(_PLACES, one.numel())).indices for one in scores[:, row]])
        found = set()
        for place in best.tolist():
            middle = [stride * part + side // 2 for part in divmod(place, across)]
            found.add(tuple(min(max(0, m - size // 8), size - size // 4) for m in middle))
        places.append(sorted((top, left) for top, left in found))
    return places


def _window(size: int) -> tuple[int, int]:
    side = max(3, size // 8)
    return side, max(1, side // 2)


def _windows(pictures: Tensor) -> Tensor:
    """Cut pictures into overlapping windows of an eighth of the side: (M, L, D)."""
    side, stride = _window(pictures.shape[-1])
    return F.unfold(pictures, side, stride=stride).transpose(1, 2)


def oddness(pictures: Tensor) -> Tensor:
    """Measure how much the texture of each window differs from other images' at its place, (M, L).

    Texture is the logarithm of the deviation within a window. It is compared with the other windows
    of its image too: an image that is rough all over has no odd patch. In robust deviations.
    """
    texture = (_windows(pictures).std(dim=2) + _FAINT).log()
    rest = texture - texture.median(dim=0).values
    rest = rest - rest.median(dim=1, keepdim=True).values
    # Where images differ much from each other, as at the edge of a body, a difference is not odd.
    spread = (1.4826 * rest.abs().median(dim=0).values).clamp(min=_LEAST_TEXTURE)
    return (rest / spread).abs()


def sameness(pictures: Tensor, labels: Tensor) -> Tensor:
    """Measure how much less two images of a class differ in a window than images do there, (M, L).

    Windows without texture of their own, such as a black border, count nothing.
    """
    windows = _windows(pictures)
    textured = windows.std(dim=2) > _TEXTURED
    result = torch.zeros(windows.shape[:2])
    usual = (windows - windows.median(dim=0).values).square().mean(dim=2).sqrt().median(0).values
    for row in range(len(windows)):
        mates = labels == labels[row]
        mates[row] = False
        if bool(mates.any()):
            own = (windows[mates] - windows[row]).square().mean(dim=2).sqrt().amin(dim=0)
            result[row] = torch.where(textured[row], usual / (own + 1 / 255), 0.0)
    return result

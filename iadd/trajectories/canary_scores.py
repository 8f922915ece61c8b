"""Scores how much each canary seems to have moved a private teacher.

The attack of the one-run audit (Steinke, Nasr and Jagielski 2023, section 6, with the gradients'
attack of Nasr et al. 2023): whoever knows the canaries and every snapshot explains the way from
each snapshot to the next by the canaries' clipped gradients.

Shapes: m canaries, P parameters.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.func import vmap

from iadd.dp.canaries import Canaries
from iadd.dp.mechanisms import clip
from iadd.dp.private_data import UNIFORMS, OfUnit

_CHUNK = 64
_RIDGE = 0.01


def score_canaries(
    canaries: Canaries,
    snapshots: Sequence[Tensor],
    gradient_at: Callable[[Tensor], OfUnit],
    *,
    clip_norm: float,
) -> Tensor:
    """Sum each canary's coefficient in a ridge regression of the steps on clipped gradients.

    Args:
        canaries: The coins are not read.
        snapshots: (P,) each, in the order of their epochs, on the device to compute on.
        gradient_at: Makes the function of one unit's gradient at a snapshot, as a step of the
            teacher computes it but for augmentation, (P,).
        clip_norm: Norm of one unit's gradient at most.

    Returns:
        (m,) float64, higher for what was rather in.
    """
    device = snapshots[0].device
    images, labels = canaries.images.to(device), canaries.labels.to(device)
    numbers = torch.zeros(len(images), UNIFORMS, device=device)
    scores = torch.zeros(len(images), dtype=torch.float64)
    for before, after in pairwise(snapshots):
        of_unit = gradient_at(before)
        rows = [
            vmap(of_unit)(*part)
            for part in zip(*(t.split(_CHUNK) for t in (images, labels, numbers)), strict=True)
        ]
        gradients = clip(torch.cat(rows), clip_norm)
        products = (gradients @ gradients.T).double().cpu()
        ridge = _RIDGE * products.diagonal().mean() * torch.eye(len(products)).double()
        step = (gradients @ (before - after)).double().cpu()
        scores += torch.linalg.solve(products + ridge, step)
    return scores

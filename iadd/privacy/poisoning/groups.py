"""Looks for two groups among the features of a class: spectral signatures.

Tran, Li and Madry 2018.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from iadd.data.distilled_dataset import DistilledDataset
from iadd.networks.base import Classifier
from iadd.privacy.poisoning.report import PoisonTest

FEWEST_IMAGES = 20
"""Images of a class below which its features are not searched for two groups."""

APART = 4.5
"""Distance of two groups of features, in their deviations, above which they are two. Halves of one
normal distribution lie 2.7 apart."""


def find_groups(distilled: DistilledDataset, networks: Sequence[Classifier]) -> list[PoisonTest]:
    """Look for two groups among the features of each class (Tran, Li and Madry 2018).

    Args:
        distilled: The set.
        networks: Trained on it.
    """
    title = "Two groups of features"
    tests = []
    for label, name in enumerate(distilled.classes):
        rows = (distilled.labels == label).nonzero().squeeze(1)
        if len(rows) < FEWEST_IMAGES:
            reason = f"{len(rows)} images; at least {FEWEST_IMAGES} are needed."
            tests.append(PoisonTest("spectral", title, name, None, APART, "not_run", reason))
            continue
        found = []
        for network in networks:
            device = next(network.parameters()).device
            with torch.no_grad():
                features = network.features(distilled.images[rows].to(device)).flatten(1).cpu()
            found.append(two_groups(features))
        distance = min(distance for distance, _ in found)
        smaller = min(found, key=lambda one: one[0])[1]
        tests.append(
            PoisonTest(
                "spectral",
                title,
                name,
                distance,
                APART,
                "flagged" if distance > APART else "clear",
                "Distance of the two groups along the first principal direction of the features, "
                "in their deviations, in the network where they lie nearest.",
                tuple(rows[smaller].tolist()) if distance > APART else (),
            )
        )
    return tests


def two_groups(features: Tensor) -> tuple[float, Tensor]:
    """Split features along their first principal direction, and measure how far apart they lie.

    Args:
        features: (n, D).

    Returns:
        Distance of the means in pooled deviations, at the split where it is largest with a tenth
        of the images on either side; and the rows of the smaller group.
    """
    centred = (features - features.mean(dim=0)).double()
    if not bool(centred.abs().max() > 0):
        return 0.0, torch.empty(0, dtype=torch.int64)
    along = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[0]
    order = along.argsort()
    values = along[order]
    least = max(2, math.ceil(len(values) / 10))
    best, where = 0.0, least
    for cut in range(least, len(values) - least + 1):
        low, high = values[:cut], values[cut:]
        pooled = ((low.var() + high.var()) / 2).sqrt().clamp(min=1e-9)
        distance = float((high.mean() - low.mean()) / pooled)
        if distance > best:
            best, where = distance, cut
    low, high = order[:where], order[where:]
    return best, low if len(low) <= len(high) else high

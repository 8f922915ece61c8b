"""Finds the nearest records of each query image, by every measure, in bounded memory.

Shapes: M queries, R records, K neighbours kept, D features.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from iadd.privacy.similarity import euclidean, structural_distance

MEASURES = ("pixels", "ssim")
"""The measures by name. `Neighbourhood` holds one ranking for each. None has learnt from an image:
one that has would know training images better than held-out ones."""

KEPT = 50
"""Neighbours kept per query and measure. SSIM is computed, at full size, for the nearest by pixels:
over all pairs it would take hours."""

_CHUNK = 512

Embed = Callable[[Tensor], Tensor]
"""Maps intensities, float32 (N, C, H, W) in 0..1, to features (N, D)."""


def embedded(images: Tensor, embed: Embed) -> Tensor:
    """Compute features, a few hundred images at a time: (N, D), rows of norm 1.

    Args:
        images: uint8 (N, C, H, W), or intensities.
        embed: The embedding.
    """
    features = []
    for chunk in images.split(_CHUNK):
        intensities = chunk.float() / 255.0 if chunk.dtype == torch.uint8 else chunk.float()
        # Directions are compared, not lengths: a network's features scale with an image's contrast.
        features.append(torch.nn.functional.normalize(embed(intensities).flatten(1).float()))
    return torch.cat(features)


@dataclass(frozen=True, eq=False)
class Ranking:
    """The nearest records of each query by one measure.

    Attributes:
        index: int64 (M, K), rows of the records.
        distance: float32 (M, K); infinity where a candidate is left out.
    """

    index: Tensor
    distance: Tensor

    def nearest(self, allowed: Tensor) -> tuple[Tensor, Tensor]:
        """Return distance (M,) and row (M,) of the nearest allowed record.

        Args:
            allowed: bool (R,). Where no kept neighbour is allowed, the distance is infinite.
        """
        distance = torch.where(allowed[self.index], self.distance, torch.inf)
        smallest, column = distance.min(dim=1)
        return smallest, self.index.gather(1, column[:, None])[:, 0]


Neighbourhood = dict[str, Ranking]
"""One `Ranking` for each of `MEASURES`."""


def find_neighbours(queries: Tensor, records: Tensor) -> Neighbourhood:
    """Rank the records by every measure.

    Args:
        queries: uint8 (M, C, H, W).
        records: uint8 (R, C, H, W), at least one.
    """
    pixels = find_by_pixels(queries, records)
    return {"pixels": pixels, "ssim": _structural(queries, records, pixels.index)}


def find_by_pixels(queries: Tensor, records: Tensor) -> Ranking:
    """Rank the records by pixels only; arguments as in `find_neighbours`."""
    return _search(queries.flatten(1).float() / 255.0, records, _pixel_distances)


def find_by_features(queries: Tensor, records: Tensor) -> Ranking:
    """Rank the records by their features' distance; (M, D) and (R, D)."""
    return _search(queries, records, euclidean)


def equal_neighbour(queries: Tensor, records: Tensor, ranking: Ranking, allowed: Tensor) -> Tensor:
    """Find a record that equals each query to one grey level, int64 (M,), or −1.

    Args:
        queries: uint8 (M, C, H, W).
        records: uint8 (R, C, H, W).
        ranking: The queries' neighbours by pixels; an equal record is always among them.
        allowed: bool (R,), the records that count.
    """
    rows = torch.full((len(queries),), -1)
    for row, (query, index) in enumerate(zip(queries, ranking.index, strict=True)):
        difference = (records[index].short() - query.short()).abs().flatten(1).amax(dim=1)
        equal = index[(difference <= 1) & allowed[index]]
        if len(equal):
            rows[row] = equal[0]
    return rows


def _pixel_distances(queries: Tensor, images: Tensor) -> Tensor:
    # Root mean square, so that distances are shares of the intensity range.
    return euclidean(queries, images.flatten(1).float() / 255.0).div_(queries.shape[1] ** 0.5)


def _search(
    queries: Tensor, records: Tensor, distances: Callable[[Tensor, Tensor], Tensor]
) -> Ranking:
    best = torch.empty(len(queries), 0)
    index = torch.empty(len(queries), 0, dtype=torch.int64)
    for start in range(0, len(records), _CHUNK):
        found = distances(queries, records[start : start + _CHUNK])
        rows = torch.arange(start, start + found.shape[1]).expand_as(found)
        best, index = torch.cat([best, found], dim=1), torch.cat([index, rows], dim=1)
        best, column = best.topk(min(KEPT, best.shape[1]), dim=1, largest=False)
        index = index.gather(1, column)
    return Ranking(index, best)


def _structural(queries: Tensor, records: Tensor, candidates: Tensor) -> Ranking:
    distances = [
        structural_distance(query.float() / 255.0, records[own].float() / 255.0)
        for query, own in zip(queries, candidates, strict=True)
    ]
    return Ranking(candidates, torch.stack(distances))

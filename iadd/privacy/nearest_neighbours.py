"""Finds the nearest records of each query image, by every measure, in bounded memory.

Shapes: M queries, R records, K neighbours kept, D features.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from iadd.privacy.similarity import euclidean, hamming, perceptual_hash, structural_distance

MEASURES = ("pixels", "ssim", "phash", "embedding")
"""The measures by name. `Neighbourhood` holds one ranking for each."""

KEPT = 50
"""Neighbours kept per query and measure."""

STRUCTURAL = 25
"""SSIM is computed, at full size, for the 25 nearest by pixels and the 25 nearest by embedding:
over all pairs it would take hours. A copy is among them unless both measures miss it."""

_CHUNK = 512

Embed = Callable[[Tensor], Tensor]
"""Maps intensities, float32 (N, C, H, W) in 0..1, to features (N, D)."""


@dataclass(frozen=True, eq=False)
class Described:
    """Images with the features and hashes that the measures compare.

    Attributes:
        images: uint8 (N, C, H, W).
        features: float32 (N, D), rows of norm 1.
        hashes: float32 (N, 64), +1 and −1.
    """

    images: Tensor
    features: Tensor
    hashes: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Tensor) -> "Described":
        """Return the chosen images, in the order of `rows`."""
        return Described(self.images[rows], self.features[rows], self.hashes[rows])


def describe(images: Tensor, embed: Embed) -> Described:
    """Compute features and hashes, a few hundred images at a time.

    Args:
        images: uint8 (N, C, H, W).
        embed: The embedding.
    """
    features, hashes = [], []
    for chunk in images.split(_CHUNK):
        intensities = chunk.float() / 255.0
        # Directions are compared, not lengths: a network's features scale with an image's contrast.
        features.append(torch.nn.functional.normalize(embed(intensities).flatten(1).float()))
        hashes.append(perceptual_hash(intensities))
    return Described(images, torch.cat(features), torch.cat(hashes))


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

    def standing_out(self, allowed: Tensor) -> Tensor:
        """Divide the distance of the nearest allowed record by the mean of the others kept, (M,).

        Near 1, a query is equally near to many; near 0, to one in particular. It is 0 where only
        one is allowed.
        """
        distance = torch.where(allowed[self.index], self.distance, torch.inf).sort(dim=1).values
        nearest, others = distance[:, :1], distance[:, 1:]
        there = others.isfinite()
        mean = torch.where(there, others, 0.0).sum(dim=1) / there.sum(dim=1).clamp(min=1)
        return torch.where(mean > 0, nearest[:, 0] / mean, 0.0)

    def take(self, rows: Tensor) -> "Ranking":
        """Return the rankings of some of the queries."""
        return Ranking(self.index[rows], self.distance[rows])


Neighbourhood = dict[str, Ranking]
"""One `Ranking` for each of `MEASURES`."""


def find_neighbours(
    queries: Described,
    records: Described,
    *,
    left_out: Tensor | None = None,
    included: Tensor | None = None,
) -> Neighbourhood:
    """Rank the records by every measure.

    Args:
        queries: M images.
        records: R images, at least one.
        left_out: int64 (M,), for each query one record to leave out (itself).
        included: int64 (M,), for each query one record whose SSIM is computed wherever it ranks.
    """
    pixels = find_by_pixels(queries, records, left_out=left_out)
    embedding = _search(queries.features, records.features, left_out, euclidean)
    candidates = [pixels.index[:, :STRUCTURAL], embedding.index[:, :STRUCTURAL]]
    if included is not None:
        candidates.append(included[:, None])
    return {
        "pixels": pixels,
        "ssim": _structural(queries, records, torch.cat(candidates, dim=1)),
        "phash": _search(queries.hashes, records.hashes, left_out, hamming),
        "embedding": embedding,
    }


def find_by_pixels(
    queries: Described, records: Described, *, left_out: Tensor | None = None
) -> Ranking:
    """Rank the records by pixels only; arguments as in `find_neighbours`."""
    flat = queries.images.flatten(1).float() / 255.0
    return _search(flat, records.images, left_out, _pixel_distances)


def equal_neighbour(
    queries: Described, records: Described, ranking: Ranking, allowed: Tensor
) -> Tensor:
    """Find a record that equals each query to one grey level, int64 (M,), or −1.

    Args:
        queries: M images.
        records: R images.
        ranking: The queries' neighbours by pixels; an equal record is always among them.
        allowed: bool (R,), the records that count.
    """
    rows = torch.full((len(queries),), -1)
    for row, (query, index) in enumerate(zip(queries.images, ranking.index, strict=True)):
        difference = (records.images[index].short() - query.short()).abs().flatten(1).amax(dim=1)
        equal = index[(difference <= 1) & allowed[index]]
        if len(equal):
            rows[row] = equal[0]
    return rows


def _pixel_distances(queries: Tensor, images: Tensor) -> Tensor:
    # Root mean square, so that distances are shares of the intensity range.
    return euclidean(queries, images.flatten(1).float() / 255.0).div_(queries.shape[1] ** 0.5)


def _search(
    queries: Tensor,
    records: Tensor,
    left_out: Tensor | None,
    distances: Callable[[Tensor, Tensor], Tensor],
) -> Ranking:
    best = torch.empty(len(queries), 0)
    index = torch.empty(len(queries), 0, dtype=torch.int64)
    for start in range(0, len(records), _CHUNK):
        found = distances(queries, records[start : start + _CHUNK])
        rows = torch.arange(start, start + found.shape[1]).expand_as(found)
        if left_out is not None:
            found = found.masked_fill(rows == left_out[:, None], torch.inf)
        best, index = torch.cat([best, found], dim=1), torch.cat([index, rows], dim=1)
        best, column = best.topk(min(KEPT, best.shape[1]), dim=1, largest=False)
        index = index.gather(1, column)
    return Ranking(index, best)


def _structural(queries: Described, records: Described, candidates: Tensor) -> Ranking:
    index, distance = candidates.clone(), torch.full(candidates.shape, torch.inf)
    for row, (query, wanted) in enumerate(zip(queries.images, candidates, strict=True)):
        distinct = wanted.unique()
        found = structural_distance(query.float() / 255.0, records.images[distinct].float() / 255.0)
        index[row, : len(distinct)] = distinct
        distance[row, : len(distinct)] = found
    return Ranking(index, distance)

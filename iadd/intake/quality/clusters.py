"""Joins what belongs together, by union-find."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Sequence


class Clusters:
    """Disjoint clusters of the numbers 0 to `count` - 1, each alone at first."""

    def __init__(self, count: int) -> None:
        self._parent = array("q", range(count))

    def find(self, item: int) -> int:
        """Return the number that stands for the cluster of `item`: its lowest member."""
        parent = self._parent
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def join(self, first: int, second: int) -> bool:
        """Join the clusters of two items; return whether they were two."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low
        return low != high

    def join_equal(self, keys: Sequence[Hashable | None]) -> None:
        """Join all items that share a key; None is no key."""
        first: dict[Hashable, int] = {}
        for item, key in enumerate(keys):
            if key is not None:
                self.join(first.setdefault(key, item), item)

    def ids(self) -> list[int]:
        """Return the cluster of each item: the lowest member's number."""
        return [self.find(item) for item in range(len(self._parent))]


def group_images(
    count: int, pairs: Iterable[tuple[int, int]], patients: Sequence[str | None] | None = None
) -> list[int]:
    """Group pictures that a split must not part: of one patient, or nearly the same.

    A patient's near-duplicate clusters are joined, so a picture filed under two patients joins
    both.

    Args:
        count: pictures in the set.
        pairs: near-duplicates.
        patients: a patient's hash for each picture; None where it is not known.

    Returns:
        A number for each picture; equal numbers are one group.
    """
    clusters = Clusters(count)
    for first, second in pairs:
        clusters.join(first, second)
    if patients is not None:
        clusters.join_equal(patients)
    return clusters.ids()

"""Brings the grey levels of all pictures to 8 bits, by one depth per group of alike pictures.

A depth is never decided by one picture: two pictures of one detector with maxima of 1,020 and 1,030
would come out four times apart in brightness.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache

import numpy as np
import numpy.typing as npt

from iadd.intake.pictures.levels import depth_for
from iadd.intake.pictures.picture import Levels

# Fewer pictures in a folder say too little of their detector; the folder above decides.
_FEWEST = 5
# Folders whose highest levels differ by less than this factor share their depth: classes of one
# detector lie in different folders, and their brightness must not tell them apart.
_ALIKE = 1.5


class GreyScale:
    """Collects the highest levels of all pictures, then decides the depth of each group.

    Groups are formed by what the files are (`Picture.group`) and by the folder they lie in.
    """

    def __init__(self) -> None:
        self._highs: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._known: dict[str, int] = {}
        self._depths: dict[str, dict[str, int]] | None = None

    def add(self, group: str, folder: str, high: float, depth: int | None) -> None:
        """Take note of one picture: `Picture.group`, its folder (``a/b``), its high and depth."""
        if depth is None:
            self._highs[group][folder].append(high)
            self._depths = None
        else:
            self._known[group] = depth

    def depth_of(self, group: str, folder: str) -> int:
        """Return the depth in bits, 8 to 16, of the pictures of a group in a folder.

        A group of known depth (`Picture.depth` was given) has that depth in every folder.

        Raises:
            KeyError: when no picture of that group was added for that folder.
        """
        if group in self._known:
            return self._known[group]
        if self._depths is None:
            self._depths = {name: _depths(highs) for name, highs in self._highs.items()}
        return self._depths[group][folder]

    @staticmethod
    def to_eight_bits(pixels: Levels, depth: int) -> npt.NDArray[np.uint8]:
        """Scale levels of `depth` bits to 0…255; what lies above is clipped.

        Args:
            pixels: uint16 of any shape.
            depth: 8 to 16.

        Returns:
            uint8 of the same shape.
        """
        return np.asarray(_table(depth)[pixels])


@cache
def _table(depth: int) -> npt.NDArray[np.uint8]:
    full = (1 << depth) - 1
    levels = np.minimum(np.arange(1 << 16), full) * (255 / full)
    return np.rint(levels).astype(np.uint8)


def _depths(highs: dict[str, list[float]]) -> dict[str, int]:
    """Return the depth of each folder of one group."""
    gathered = _gathered(highs)
    deciding = {folder: _deciding_folder(folder, gathered) for folder in highs}
    reach = {name: float(np.percentile(gathered[name], 99.9)) for name in {*deciding.values()}}
    depths: dict[str, int] = {}
    cluster: list[str] = []
    for name in sorted(reach, key=lambda name: reach[name]):
        if cluster and reach[name] >= _ALIKE * reach[cluster[-1]]:
            cluster = []
        cluster.append(name)
        depths.update(dict.fromkeys(cluster, depth_for(reach[name])))
    return {folder: depths[deciding[folder]] for folder in highs}


def _gathered(highs: dict[str, list[float]]) -> dict[str, list[float]]:
    """Gather the highs of each folder with those of all folders in it; the root is ``""``."""
    gathered: dict[str, list[float]] = defaultdict(list)
    for folder, values in highs.items():
        for name in _with_parents(folder):
            gathered[name].extend(values)
    return gathered


def _deciding_folder(folder: str, gathered: dict[str, list[float]]) -> str:
    return next((name for name in _with_parents(folder) if len(gathered[name]) >= _FEWEST), "")


def _with_parents(folder: str) -> list[str]:
    parts = [part for part in folder.split("/") if part]
    return ["/".join(parts[:count]) for count in range(len(parts), -1, -1)]

"""What the pictures of an archive look like when their values are read as they are meant."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

_MEANT = {"8 bits": 8, "12 bits": 12, "12 bits, white is 0": 12, "13 bits": 13, "15 bits": 15}


def expected_means(archive: Path, meant: str) -> list[float]:
    """Return the mean of each picture on a scale of 0 to 255, in the order of the archive."""
    with zipfile.ZipFile(archive) as opened:
        return [
            _mean(imagecodecs.imread(opened.read(name)), meant)
            for name in opened.namelist()
            if not name.endswith(("/", ".csv"))
        ]


def _mean(values: npt.NDArray[Any], meant: str) -> float:
    full = (1 << _MEANT[meant]) - 1
    if values.ndim == 3 and values.shape[2] == 2:  # grey and alpha, over black
        opaque = values[..., 1] / np.iinfo(values.dtype).max
        grey = np.minimum(values[..., 0], full) * opaque
    else:
        grey = np.minimum(values if values.ndim == 2 else values[..., 0], full)
    if meant.endswith("white is 0"):
        grey = full - grey
    return float(grey.mean()) * 255 / full

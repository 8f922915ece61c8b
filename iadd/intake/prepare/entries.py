"""Gives the files of a source one by one; pictures of a MedMNIST file as if they were files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from iadd.intake.containers.archive import Entry
from iadd.intake.containers.limits import Limits
from iadd.intake.containers.open import open_archive
from iadd.intake.layout.tables import is_table_name
from iadd.intake.paths import ignore_reason
from iadd.intake.pictures.npz import is_npz, read_npz


@contextmanager
def open_source(source: Path, limits: Limits, encoding: str | None) -> Iterator[Iterator[Entry]]:
    """Open an archive, a folder or a MedMNIST file.

    Raises:
        DatasetError: as `open_archive` and `read_npz`.
        OSError: there is nothing at `source`.
    """
    if is_npz(source):
        yield _arrays(source)
        return
    with open_archive(source, limits, encoding=encoding) as archive:
        yield archive.entries


def kind_of(parts: tuple[str, ...]) -> str | None:
    """Return why a file is no candidate for a picture, as `survey` does; None for candidates."""
    return "tables" if is_table_name(parts[-1]) else ignore_reason(parts)


def _arrays(source: Path) -> Iterator[Entry]:
    for position, picture in enumerate(read_npz(source)):
        yield Entry(
            picture.name, picture.pixels.nbytes, position, partial(_encoded, picture.pixels)
        )


def _encoded(pixels: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()

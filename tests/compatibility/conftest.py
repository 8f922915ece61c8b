"""Unpacks what version 0.1.0 left behind: `tests/compatibility/0.1.0/*.tar.xz`.

`rows`: a database with rows of every kind, and the objects that belong to them. `results`: the data
folder of a demonstration that ended. `library`: files that the library wrote by itself. They were
made by that version and are never made again.
"""

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

MADE_BY_0_1_0 = Path(__file__).parent / "0.1.0"


@pytest.fixture
def unpack(tmp_path: Path) -> Callable[[str], Path]:
    """`unpack("rows")` returns a copy that the test may change."""

    def unpack(name: str) -> Path:
        with tarfile.open(MADE_BY_0_1_0 / f"{name}.tar.xz") as archive:
            archive.extractall(tmp_path, filter="data")
        folder = tmp_path / name
        shutil.copymode(tmp_path, folder)
        return folder

    return unpack

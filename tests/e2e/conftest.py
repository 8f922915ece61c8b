"""Services that tests share or have to themselves, and archives for them."""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.service import TINY, Service, start_service


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start a service of one's own, on the same folder each time if none is named."""
    services: list[Service] = []

    def make(data_dir: Path | None = None, **environment: str) -> Service:
        services.append(start_service(data_dir or tmp_path / "data", **environment))
        return services[-1]

    yield make
    for service in services:
        service.stop()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that tests share, which leave its processes alone."""
    service = start_service(tmp_path_factory.mktemp("service") / "data")
    yield service
    service.stop()


def picture(label: int, seed: int) -> bytes:
    """A PNG, bright on top or below."""
    pixels = np.random.default_rng([label, seed]).integers(0, 120, (32, 32), dtype=np.uint8)
    pixels[16 * label : 16 * label + 16] += 100
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def zipped(first: int, *, each: int = 30) -> bytes:
    """Two classes of so many pictures each, no two alike."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for label, name in enumerate(("COVID", "Normal")):
            for number in range(first, first + each):
                written.writestr(f"set/{name}/{number:03d}.png", picture(label, number))
    return file.getvalue()


@pytest.fixture(scope="session")
def archive() -> bytes:
    return zipped(0)


@pytest.fixture(scope="session")
def other_archive() -> bytes:
    """Another hospital's, with none of the same pictures."""
    return zipped(100)


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    return TINY

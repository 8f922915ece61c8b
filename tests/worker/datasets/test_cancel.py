"""A check that somebody cancels ends while its archive is read."""

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from app.core.security import Caller, Role
from app.datasets import service
from app.models import Dataset, DatasetStatus

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

PICTURES = 6000
"""Their reading takes a busy core many heartbeats."""


def archive() -> bytes:
    generator = np.random.default_rng(0)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for number in range(PICTURES):
            picture = io.BytesIO()
            pixels = generator.integers(0, 256, (64, 64), dtype=np.uint8)
            Image.fromarray(pixels).save(picture, "PNG", compress_level=0)
            written.writestr(f"{'AB'[number % 2]}/{number}.png", picture.getvalue())
    return file.getvalue()


@pytest.mark.slow
def test_it_ends_and_the_archive_is_kept(own_harness: "WorkerHarness") -> None:
    harness = own_harness
    harness.start_worker()
    dataset_id = harness.upload(archive())
    steward = Caller.on_behalf(harness.organisation_id, Role.STEWARD, "Dr. Grey")

    def row() -> Dataset:
        with harness.database.reading() as session:
            return session.get_one(Dataset, dataset_id)

    harness.until(lambda: (row().progress or {}).get("done"), "pictures are read")
    with harness.database.transaction() as session:
        assert service.cancel_check(session, steward, dataset_id).status == DatasetStatus.CHECKING

    harness.until(lambda: row().status == DatasetStatus.REJECTED, "it is cancelled")
    assert (row().problem or {})["type"].endswith(":check-cancelled")
    assert row().lease_owner is None
    assert harness.storage.exists(f"datasets/{dataset_id}/archive-first")
    assert not list((harness.folder / "scratch").glob("*/*/*"))

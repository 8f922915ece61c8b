"""A disc that is full while an archive is read costs nobody the upload."""

import io
import sys
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

LIMIT = 4 << 20
"""Bytes of a file that the worker may write: the grey levels of 200 pictures take five million."""


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for number in range(200):
            pixels = np.random.default_rng(number).integers(0, 256, (24, 24), dtype=np.uint8)
            picture = io.BytesIO()
            Image.fromarray(pixels).save(picture, "PNG")
            written.writestr(f"{'AB'[number % 2]}/{number}.png", picture.getvalue())
    return file.getvalue()


@pytest.mark.slow
def test_it_is_said_cleaned_up_and_checked_again(own_harness: "WorkerHarness") -> None:
    harness = own_harness
    # Beyond a limit on the size of files writing fails as on a full disc.
    command = ("prlimit", f"--fsize={LIMIT}", sys.executable, "-P", "-m", "worker")
    small = harness.start_worker(command=command)
    dataset_id = harness.upload(archive())

    def row() -> Dataset:
        with harness.database.reading() as session:
            return session.get_one(Dataset, dataset_id)

    harness.until(lambda: row().status == DatasetStatus.REJECTED, "it is rejected")
    assert (row().problem or {})["type"].endswith(":disc-full")
    assert row().archive_key is not None
    assert harness.storage.exists(f"datasets/{dataset_id}/archive-first")
    assert not list(harness.storage.list(f"datasets/{dataset_id}/read"))
    assert not list((harness.folder / "scratch").glob("*/*/*"))
    harness.kill_worker(small)

    harness.start_worker()
    steward = Caller.on_behalf(harness.organisation_id, Role.STEWARD, "Dr. Grey")
    with harness.database.transaction() as session:
        service.check_again(session, steward, dataset_id)
    harness.until(lambda: row().status == DatasetStatus.READY, "it is read")
    with harness.database.transaction() as session, pytest.raises(service.NothingToCheck):
        service.check_again(session, steward, dataset_id)

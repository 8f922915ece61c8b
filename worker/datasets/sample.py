"""Draws the sample cohort; from then on its archive is like any that was uploaded."""

import hashlib
from pathlib import Path

from app.datasets.sample import IMAGES_PER_CLASS
from app.models import Dataset
from iadd.cohort import write_archive
from worker.jobs.lease import ClaimedRow
from worker.services import Services


def draw_archive(services: Services, claimed: ClaimedRow, dataset: Dataset, scratch: Path) -> str:
    """Store a drawn archive and write its key into the row; the same bytes each time.

    Returns:
        Its key.
    """
    assert dataset.sample_seed is not None, "only a sample is drawn"
    path = scratch / "sample.zip"
    write_archive(path, IMAGES_PER_CLASS, seed=dataset.sample_seed, on_image=claimed.check)
    key = f"datasets/{dataset.id}/archive-sample"
    services.storage.put(key, path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    claimed.write(archive_key=key, size=path.stat().st_size, sha256=digest)
    path.unlink()
    return key

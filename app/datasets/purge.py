"""Removes the objects of a deleted dataset. Safe to repeat after a crash.

No transaction is open while objects are deleted: that may take long, and SQLite has one writer.
"""

import logging

from app.core.db import Database
from app.core.storage import Storage
from app.datasets.repository import DatasetRepository
from app.models.distillation import FINAL, RESULT_KEYS, Distillation, DistillationStatus

logger = logging.getLogger(__name__)


def purge_dataset(database: Database, storage: Storage, dataset_id: str) -> None:
    """Remove the objects of a dataset that is marked as deleted, and then their keys.

    Gone are the archive, the images, the quality report, the thumbnails, the trajectories, and
    of its distillations the checkpoints and scores, and whatever belongs to one that never got
    ready. Finished bundles and reports stay until their distillation is deleted.
    """
    storage.delete_folder(f"datasets/{dataset_id}")
    purge_derived(database, storage, dataset_id)
    with database.transaction() as session:
        DatasetRepository(session).mark_purged(dataset_id)
    logger.info("dataset %s: objects deleted", dataset_id)


def purge_derived(database: Database, storage: Storage, dataset_id: str) -> None:
    """Remove data computed from a dataset's images that is not a result."""
    with database.reading() as session:
        datasets = DatasetRepository(session)
        trajectory_sets = datasets.trajectory_sets(dataset_id)
        distillations = datasets.distillations(dataset_id, FINAL)
    for trajectory_set in trajectory_sets:
        storage.delete_folder(f"trajectories/{trajectory_set}")
    for distillation in distillations:
        kept = _results(distillation)
        stored = [info.key for info in storage.list(f"distillations/{distillation.id}")]
        storage.delete(*[key for key in stored if key not in kept])
    with database.transaction() as session:
        ended = [distillation.id for distillation in distillations]
        DatasetRepository(session).forget_derived(dataset_id, ended)


def _results(distillation: Distillation) -> set[str | None]:
    if distillation.status != DistillationStatus.READY:
        return set()
    return {getattr(distillation, name) for name in RESULT_KEYS}

"""Deletes the archive of a dataset once its pictures were read: with it go headers and names."""

import logging

from sqlalchemy import update

from app.core.db import Database
from app.core.settings import Settings
from app.core.storage import Storage
from app.datasets.texts import NOT_SCANNED
from app.models.dataset import Dataset, DatasetStatus

logger = logging.getLogger(__name__)


def forget_archive(
    settings: Settings, database: Database, storage: Storage, dataset_id: str
) -> None:
    """Delete the archive unless the portal keeps archives. Safe to repeat after a crash.

    The row names the archive until the object is gone, so that the sweeper finds what a killed
    worker left.
    """
    if settings.keep_archives:
        return
    with database.reading() as session:
        dataset = session.get(Dataset, dataset_id)
    if dataset is None or not is_done_with(dataset):
        return
    assert dataset.archive_key is not None, "that is what it is done with"
    storage.delete(dataset.archive_key)
    with database.transaction() as session:
        session.execute(
            update(Dataset)
            .where(Dataset.id == dataset_id, Dataset.archive_key == dataset.archive_key)
            .values(archive_key=None)
        )
    logger.info("dataset %s: archive deleted", dataset_id)


def is_done_with(dataset: Dataset) -> bool:
    """True if the archive is there and nothing will be read from it any more."""
    return (
        dataset.status == DatasetStatus.READY
        and dataset.archive_key is not None
        and dataset.read_key is not None
        and NOT_SCANNED not in (dataset.open_holds or {})
    )

"""Removes the objects of a deleted distillation. Safe to repeat."""

import logging

from app.core.db import Database
from app.core.storage import Storage
from app.distillations.repository import DistillationRepository

logger = logging.getLogger(__name__)


def purge_distillation(database: Database, storage: Storage, distillation_id: str) -> None:
    """Remove the objects and the events of a distillation that is marked as deleted.

    Trajectories stay: they belong to the dataset.
    """
    storage.delete_folder(f"distillations/{distillation_id}")
    with database.transaction() as session:
        distillations = DistillationRepository(session)
        distillations.events.delete_all(distillation_id)
        distillations.mark_purged(distillation_id)
    logger.info("distillation %s: objects deleted", distillation_id)

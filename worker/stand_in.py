"""A worker that serves the gpu queue while no worker with a GPU does.

On a machine whose GPU may be away, both run: the stand-in waits before it takes anything, and ends
its task at the next checkpoint once a GPU is there. Whatever keeps it running starts it again, and
it waits.
"""

import logging
import time
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from app.core.clock import utc_now
from app.core.db import Database
from app.core.queue import Queue
from app.maintenance.workers import seen_workers
from worker.liveness import STANDS_BY, mark, unmark

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
AWAY_AFTER = timedelta(seconds=45)
"""Four heartbeats: one that is late calls no stand-in."""


def is_gpu_served(database: Database) -> bool:
    """Return True if a worker that has a GPU serves the gpu queue now."""
    with database.reading() as session:
        workers = seen_workers(session, utc_now() - AWAY_AFTER)
    return any(Queue.GPU.value in one.queues and one.device != "cpu" for one in workers)


def stand_by(database: Database) -> None:
    """Wait while a worker with a GPU serves the queue, or the database does not say."""
    waited = False
    while _is_to_wait(database):
        if not waited:
            logger.info("a worker with a GPU serves the queue; this one stands by")
            waited = True
        time.sleep(LOOK_SECONDS)
    unmark(STANDS_BY)
    if waited:
        logger.info("no worker with a GPU is left; this one takes over")


def _is_to_wait(database: Database) -> bool:
    try:
        served = is_gpu_served(database)
    except SQLAlchemyError as error:
        logger.warning("workers could not be listed: %s", type(error).__name__)
        return True
    if served:
        mark(STANDS_BY)
    return served

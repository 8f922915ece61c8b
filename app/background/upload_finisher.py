"""Finishes uploads that a portal left whole and unfinished when it died.

It is no part of the sweep: reading an archive of gigabytes takes longer than a sweep may.
"""

import logging
from collections.abc import Callable

from app.core.errors import Problem
from app.core.leases import LeaseLost
from app.core.portal import Portal
from app.datasets.uploads.finish import Stopped, finish
from app.datasets.uploads.repository import UploadRepository
from app.datasets.uploads.writer import Writer

logger = logging.getLogger(__name__)


def finish_complete(portal: Portal, *, go_on: Callable[[], bool] = lambda: True) -> None:
    """Finish every whole upload whose lease nobody holds."""
    with portal.database.reading() as session:
        complete = UploadRepository(session).complete()
    for upload_id in complete:
        try:
            writer = Writer.resume(portal, upload_id)
        except Problem:
            continue  # somebody was faster
        if writer is None:
            continue
        try:
            dataset = finish(writer, go_on=go_on)
        except (Problem, LeaseLost, Stopped) as reason:
            logger.info("upload %s stays unfinished: %s", upload_id, type(reason).__name__)
        else:
            logger.warning("upload %s: finished for a portal that was gone", upload_id)
            logger.info("dataset %s: its archive is here", dataset.id)
        finally:
            writer.close()

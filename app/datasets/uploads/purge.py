"""Removes the remains of finished and expired uploads. Safe to repeat."""

import logging
from datetime import datetime, timedelta

from app.audit.log import Action, record_by_portal
from app.core.clock import utc_now
from app.core.db import Database
from app.core.portal import Portal
from app.core.storage import Storage
from app.datasets.uploads.part_store import folder_of
from app.datasets.uploads.repository import UploadRepository
from app.models.upload import UploadStatus

logger = logging.getLogger(__name__)


def purge_upload(database: Database, storage: Storage, upload_id: str, dataset_id: str) -> None:
    """Remove the bytes of one that is over; of one that is done, what its archive left behind."""
    storage.delete_folder(folder_of(dataset_id, upload_id))
    with database.transaction() as session:
        UploadRepository(session).mark_purged(upload_id)


def forget_at(portal: Portal) -> datetime:
    """Time at which the row of one that ends now goes, or of one to which nothing comes."""
    return utc_now() + timedelta(days=portal.settings.upload_days)


def end_expired(portal: Portal) -> None:
    """End uploads that received nothing for too long; a writer of one loses its lease."""
    with portal.database.reading() as session:
        expired = UploadRepository(session).expired()
    for upload in expired:
        with portal.database.transaction() as session:
            ended = UploadRepository(session).end(
                upload.id, UploadStatus.EXPIRED, forget_at=forget_at(portal)
            )
            if ended:
                record_by_portal(
                    session,
                    upload.organisation_id,
                    Action.UPLOAD_EXPIRED,
                    upload.id,
                    received=upload.received,
                )
        logger.info("upload %s: expired", upload.id)


def purge_ended(portal: Portal) -> None:
    """Purge ended uploads, also after a portal that died meanwhile."""
    with portal.database.reading() as session:
        ended = UploadRepository(session).to_purge()
    for upload in ended:
        purge_upload(portal.database, portal.storage, upload.id, upload.dataset_id)


def forget_uploads(portal: Portal) -> None:
    with portal.database.transaction() as session:
        UploadRepository(session).forget()

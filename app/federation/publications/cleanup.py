"""Forgets publications whose portal never sent the rest."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select

from app.background.periodic import PeriodicTask
from app.core.clock import utc_now
from app.core.portal import Portal
from app.federation.publications.service import parts_folder
from app.models.publication import Publication, PublicationStatus

ROUND_SECONDS = 3600.0


def forgotten_publications(portal: Portal) -> Iterator[PeriodicTask]:
    """The periodic task, of hospitals too: a peer may publish there."""
    yield PeriodicTask(
        name="publications", seconds=ROUND_SECONDS, run=lambda _: forget_unfinished(portal)
    )


def forget_unfinished(portal: Portal) -> None:
    """Delete what was begun, and to which nothing has come for as long as to an upload."""
    before = utc_now() - timedelta(days=portal.settings.upload_days)
    with portal.database.reading() as session:
        old = session.scalars(
            select(Publication.release_id).where(
                Publication.status == PublicationStatus.RECEIVING, Publication.updated_at < before
            )
        ).all()
    for release_id in old:
        with portal.database.transaction() as session:
            row = session.get(Publication, release_id, with_for_update=True)
            if row is None or row.status != PublicationStatus.RECEIVING or row.updated_at >= before:
                continue
            session.delete(row)
        portal.storage.delete_folder(parts_folder(release_id))

"""Queries for publications."""

from collections.abc import Sequence

from sqlalchemy import func, select

from app.core.errors import NotFound
from app.core.repository import Readable, Repository
from app.core.security import Caller
from app.models.publication import Publication, PublicationStatus


class PublicationNotFound(NotFound):
    code = "publication-not-found"
    title = "No such publication"


class ReadablePublications(Readable[Publication]):
    """Those that the caller's organisation sends here."""

    model = Publication
    not_found = PublicationNotFound
    advice = "Your organisation publishes no such release here. POST /api/v1/publications begins."

    def get(self, row_id: str, *, lock: bool = False) -> Publication:
        query = self._query.where(Publication.release_id == row_id)
        row: Publication | None = self._session.scalar(self._locked(query) if lock else query)
        if row is None:
            raise self.not_found(self.advice)
        return row


class PublicationRepository(Repository[Publication]):
    def readable_by(self, caller: Caller) -> ReadablePublications:
        return ReadablePublications(self._session, caller)

    def find(self, release_id: str) -> Publication | None:
        """By id alone: an id is taken, whoever took it."""
        return self._session.get(Publication, release_id, with_for_update=True)

    def receiving(self, organisation_id: str) -> tuple[int, int]:
        """Number of the organisation's incomplete bundles, and the bytes that they will have."""
        number, size = self._session.execute(
            select(func.count(), func.coalesce(func.sum(Publication.size), 0)).where(
                Publication.organisation_id == organisation_id,
                Publication.status == PublicationStatus.RECEIVING,
            )
        ).one()
        return int(number), int(size)

    def accepted(self, organisation_id: str) -> Sequence[Publication]:
        return self._session.scalars(
            select(Publication)
            .where(
                Publication.organisation_id == organisation_id,
                Publication.status == PublicationStatus.ACCEPTED,
            )
            .order_by(Publication.created_at)
        ).all()

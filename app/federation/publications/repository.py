"""Queries for publications."""

from app.core.errors import NotFound
from app.core.repository import Readable, Repository
from app.core.security import Caller
from app.models.publication import Publication


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

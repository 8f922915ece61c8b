"""Queries for signing keys."""

from collections.abc import Sequence

from sqlalchemy import select

from app.core.repository import Repository
from app.models.organisation import Organisation
from app.models.organisation_key import OrganisationKey


class KeyRepository(Repository[OrganisationKey]):
    def of_organisation(self, organisation_id: str) -> Sequence[OrganisationKey]:
        """All keys that it signs with here, the present one first.

        They are public to every signed-in caller.
        """
        return self._session.scalars(
            select(OrganisationKey)
            .where(
                OrganisationKey.organisation_id == organisation_id,
                OrganisationKey.is_home.is_(False),
            )
            .order_by(
                OrganisationKey.retired_at.is_not(None),
                OrganisationKey.created_at.desc(),
                OrganisationKey.id.desc(),
            )
        ).all()

    def present(self, organisation_id: str) -> OrganisationKey:
        """The key that it signs with now. Every organisation has one."""
        return self._session.scalars(
            select(OrganisationKey).where(
                OrganisationKey.organisation_id == organisation_id,
                OrganisationKey.retired_at.is_(None),
                OrganisationKey.is_home.is_(False),
            )
        ).one()

    def find_public(self, public_key: str) -> OrganisationKey | None:
        query = select(OrganisationKey).where(OrganisationKey.public_key == public_key)
        return self._session.scalar(query)

    def load(self, key_id: str) -> OrganisationKey:
        """By id alone, for what names it."""
        return self._session.scalars(
            select(OrganisationKey).where(OrganisationKey.id == key_id)
        ).one()

    def organisations_without(self) -> Sequence[str]:
        """Organisations from before there were keys."""
        keys = select(OrganisationKey.organisation_id).where(OrganisationKey.is_home.is_(False))
        return self._session.scalars(
            select(Organisation.id).where(Organisation.id.not_in(keys))
        ).all()

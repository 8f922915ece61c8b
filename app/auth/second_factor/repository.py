"""Queries for second factors."""

from collections.abc import Collection

from sqlalchemy import delete, select

from app.core.repository import Repository
from app.models.second_factor import SecondFactor


class SecondFactorRepository(Repository[SecondFactor]):
    def of(self, user_id: str) -> SecondFactor | None:
        """A person's factor, also one that was begun and not confirmed."""
        return self._session.get(SecondFactor, user_id, populate_existing=True)

    def confirmed(self, user_id: str) -> SecondFactor | None:
        """The factor that a sign-in asks for."""
        found = self.of(user_id)
        return found if found is not None and found.confirmed_at is not None else None

    def who_has_one(self, user_ids: Collection[str]) -> set[str]:
        """Those of these people whose sign-in asks for a code."""
        return set(
            self._session.scalars(
                select(SecondFactor.user_id).where(
                    SecondFactor.user_id.in_(user_ids), SecondFactor.confirmed_at.is_not(None)
                )
            )
        )

    def delete(self, user_id: str) -> None:
        self._session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))

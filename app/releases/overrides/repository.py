"""Queries for overrides of the release policy."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from app.core.errors import NotFound
from app.core.repository import Readable, Repository
from app.core.security import Caller
from app.models.release_override import OverrideStatus, ReleaseOverride


class OverrideNotFound(NotFound):
    code = "override-not-found"
    title = "No such override"


class ReadableOverrides(Readable[ReleaseOverride]):
    model = ReleaseOverride
    not_found = OverrideNotFound
    advice = (
        "Your organisation has no override with this id. GET "
        "/api/v1/distillations/{id}/release-overrides lists those of a distillation."
    )

    def of_distillation(self, distillation_id: str) -> Sequence[ReleaseOverride]:
        """Newest first."""
        return self._session.scalars(
            self._query.where(ReleaseOverride.distillation_id == distillation_id).order_by(
                ReleaseOverride.created_at.desc(), ReleaseOverride.id.desc()
            )
        ).all()


class OverrideRepository(Repository[ReleaseOverride]):
    def readable_by(self, caller: Caller) -> ReadableOverrides:
        return ReadableOverrides(self._session, caller)

    def usable(
        self, distillation_id: str, now: datetime, *, lock: bool = False
    ) -> ReleaseOverride | None:
        """The approved one that the next release of a distillation is published by."""
        query = (
            select(ReleaseOverride)
            .where(
                ReleaseOverride.distillation_id == distillation_id,
                ReleaseOverride.status == OverrideStatus.APPROVED,
                ReleaseOverride.expires_at > now,
            )
            .order_by(ReleaseOverride.created_at.desc())
            .limit(1)
        )
        return self._session.scalars(query.with_for_update() if lock else query).first()

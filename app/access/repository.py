"""Queries for requests, grants, acceptances and the releases that they are about."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.pagination import Page, paginate
from app.core.repository import Repository
from app.core.security import Caller
from app.models.access import OPEN_REQUESTS, Acceptance, AccessRequest, Grant, RequestStatus
from app.models.release import Release


class ReleaseNotFound(NotFound):
    code = "release-not-found"
    title = "No such release"


class RequestNotFound(NotFound):
    code = "access-request-not-found"
    title = "No such request"


class GrantNotFound(NotFound):
    code = "grant-not-found"
    title = "No such grant"


class Direction(StrEnum):
    RECEIVED = "received"
    """Requests and grants for the caller's releases, from others."""
    SENT = "sent"
    """By the caller's organisation, for others' releases."""


class ReadableAccess:
    """Releases, and the requests and grants that a caller's organisation is one side of."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._organisation_id = caller.organisation_id

    def release(self, release_id: str, *, own: bool = False, lock: bool = False) -> Release:
        """One of anybody's, or of the caller's organisation. Raises ReleaseNotFound."""
        query = select(Release).where(Release.id == release_id)
        if own:
            query = query.where(Release.organisation_id == self._organisation_id)
        release = self._session.scalar(query.with_for_update() if lock else query)
        if release is None:
            raise ReleaseNotFound(
                "There is no such release for this action; GET /api/v1/catalogue "
                "lists what others share, GET /api/v1/releases your own."
            )
        return release

    def request(
        self, request_id: str, side: Direction | None = None, *, lock: bool = False
    ) -> AccessRequest:
        """One that it received or sent, or on just one side. Raises RequestNotFound."""
        query = select(AccessRequest).where(
            AccessRequest.id == request_id, self._side(AccessRequest, side)
        )
        found = self._session.scalar(query.with_for_update() if lock else query)
        if found is None:
            raise RequestNotFound(
                "Your organisation has no request with this id on this side; GET "
                "/api/v1/access-requests lists them."
            )
        return found

    def requests(
        self,
        side: Direction | None,
        status: RequestStatus | None,
        release_id: str | None,
        *,
        cursor: str | None,
        limit: int,
    ) -> Page[AccessRequest]:
        query = select(AccessRequest).where(self._side(AccessRequest, side))
        if status is not None:
            query = query.where(AccessRequest.status == status)
        if release_id is not None:
            query = query.where(AccessRequest.release_id == release_id)
        return paginate(self._session, query, AccessRequest, cursor=cursor, limit=limit)

    def grant(self, grant_id: str, side: Direction | None = None, *, lock: bool = False) -> Grant:
        """Raises GrantNotFound."""
        query = select(Grant).where(Grant.id == grant_id, self._side(Grant, side))
        found = self._session.scalar(query.with_for_update() if lock else query)
        if found is None:
            raise GrantNotFound(
                "Your organisation has no grant with this id on this side; GET /api/v1/grants "
                "lists them."
            )
        return found

    def grants(
        self,
        side: Direction | None,
        release_id: str | None,
        *,
        cursor: str | None,
        limit: int,
    ) -> Page[Grant]:
        query = select(Grant).where(self._side(Grant, side))
        if release_id is not None:
            query = query.where(Grant.release_id == release_id)
        return paginate(self._session, query, Grant, cursor=cursor, limit=limit)

    def _side(
        self, model: type[AccessRequest] | type[Grant], side: Direction | None
    ) -> ColumnElement[bool]:
        mine = {
            Direction.RECEIVED: model.owner_id == self._organisation_id,
            Direction.SENT: model.organisation_id == self._organisation_id,
        }
        return or_(*mine.values()) if side is None else mine[side]


class AccessRepository(Repository[AccessRequest | Grant | Acceptance]):
    def readable_by(self, caller: Caller) -> ReadableAccess:
        return ReadableAccess(self._session, caller)

    def release_titles(self, release_ids: Sequence[str]) -> dict[str, str]:
        rows = self._session.execute(
            select(Release.id, Release.title).where(Release.id.in_(set(release_ids)))
        )
        return {row.id: row.title for row in rows}

    def last_request(self, release_id: str, organisation_id: str) -> AccessRequest | None:
        return self.last_requests([release_id], organisation_id).get(release_id)

    def last_requests(
        self, release_ids: Sequence[str], organisation_id: str
    ) -> dict[str, AccessRequest]:
        """The newest of an organisation for each of these releases."""
        rows = self._session.scalars(
            select(AccessRequest)
            .where(
                AccessRequest.release_id.in_(set(release_ids)),
                AccessRequest.organisation_id == organisation_id,
            )
            .order_by(AccessRequest.created_at, AccessRequest.id)
        )
        return {row.release_id: row for row in rows}

    def open_requests(self, release_id: str) -> Sequence[AccessRequest]:
        return self._session.scalars(
            select(AccessRequest).where(
                AccessRequest.release_id == release_id, AccessRequest.status.in_(OPEN_REQUESTS)
            )
        ).all()

    def last_grants(self, release_ids: Sequence[str], organisation_id: str) -> dict[str, Grant]:
        """The newest that an organisation was given of each of these releases."""
        rows = self._session.scalars(
            select(Grant)
            .where(
                Grant.release_id.in_(set(release_ids)),
                Grant.organisation_id == organisation_id,
            )
            .order_by(Grant.created_at, Grant.id)
        )
        return {row.release_id: row for row in rows}

    def count_waiting(self, release_ids: Sequence[str]) -> dict[str, int]:
        """Count the requests that wait for a decision, by release."""
        rows = self._session.execute(
            select(AccessRequest.release_id, func.count())
            .where(
                AccessRequest.release_id.in_(set(release_ids)),
                AccessRequest.status == RequestStatus.REQUESTED,
            )
            .group_by(AccessRequest.release_id)
        )
        return dict(rows.all())

    def running_grants(self, release_id: str, now: datetime) -> Sequence[Grant]:
        return self._session.scalars(
            select(Grant).where(
                Grant.release_id == release_id,
                Grant.revoked_at.is_(None),
                or_(Grant.expires_at.is_(None), Grant.expires_at > now),
            )
        ).all()

    def holders(self, release_ids: Sequence[str], now: datetime) -> set[tuple[str, str]]:
        """(release, organisation) of everybody who may download one of these."""
        rows = self._session.execute(
            select(Grant.release_id, Grant.organisation_id)
            .where(
                Grant.release_id.in_(set(release_ids)),
                Grant.revoked_at.is_(None),
                or_(Grant.expires_at.is_(None), Grant.expires_at > now),
            )
            .distinct()
        )
        return {(row.release_id, row.organisation_id) for row in rows}

    def to_remind(self, now: datetime, soon: datetime) -> Sequence[Grant]:
        """Grants that expire soon, without a notice so far."""
        return self._session.scalars(
            select(Grant)
            .where(
                Grant.revoked_at.is_(None),
                Grant.reminded_at.is_(None),
                Grant.expires_at > now,
                Grant.expires_at <= soon,
            )
            .limit(100)
            .with_for_update(skip_locked=True)
        ).all()

    def just_expired(self, now: datetime) -> Sequence[Grant]:
        """Grants that have expired, without a notice so far."""
        return self._session.scalars(
            select(Grant)
            .where(
                Grant.revoked_at.is_(None),
                Grant.expiry_told_at.is_(None),
                Grant.expires_at <= now,
            )
            .limit(100)
            .with_for_update(skip_locked=True)
        ).all()

    def acceptance(self, grant_id: str) -> Acceptance | None:
        return self._session.scalar(select(Acceptance).where(Acceptance.grant_id == grant_id))

    def acceptances(self, grant_ids: Sequence[str]) -> dict[str, Acceptance]:
        rows = self._session.scalars(
            select(Acceptance).where(Acceptance.grant_id.in_(set(grant_ids)))
        )
        return {row.grant_id: row for row in rows}

    def grants_of_requests(self, request_ids: Sequence[str]) -> dict[str, str]:
        """The grant that each of these requests led to, by request."""
        rows = self._session.execute(
            select(Grant.request_id, Grant.id).where(Grant.request_id.in_(set(request_ids)))
        )
        return {row.request_id: row.id for row in rows if row.request_id is not None}

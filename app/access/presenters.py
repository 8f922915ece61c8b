"""Presents requests and grants with names and titles, in few queries for many rows."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.access.repository import AccessRepository
from app.access.schemas import AccessRequestRead, GrantRead, Party
from app.models.access import AccessRequest, Grant
from app.organisations.repository import OrganisationRepository


def read_request(session: Session, row: AccessRequest) -> AccessRequestRead:
    return read_requests(session, [row])[0]


def read_requests(session: Session, rows: Sequence[AccessRequest]) -> list[AccessRequestRead]:
    access = AccessRepository(session)
    titles = access.release_titles([row.release_id for row in rows])
    names = _names(session, rows)
    grants = access.grants_of_requests([row.id for row in rows])
    return [
        AccessRequestRead.of(
            row,
            release_title=titles[row.release_id],
            owner=Party(id=row.owner_id, name=names[row.owner_id]),
            organisation=Party(id=row.organisation_id, name=names[row.organisation_id]),
            grant_id=grants.get(row.id),
        )
        for row in rows
    ]


def read_grant(session: Session, row: Grant) -> GrantRead:
    return read_grants(session, [row])[0]


def read_grants(session: Session, rows: Sequence[Grant]) -> list[GrantRead]:
    access = AccessRepository(session)
    titles = access.release_titles([row.release_id for row in rows])
    names = _names(session, rows)
    acceptances = access.acceptances([row.id for row in rows])
    return [
        GrantRead.of(
            row,
            release_title=titles[row.release_id],
            owner=Party(id=row.owner_id, name=names[row.owner_id]),
            organisation=Party(id=row.organisation_id, name=names[row.organisation_id]),
            acceptance=acceptances.get(row.id),
        )
        for row in rows
    ]


def _names(session: Session, rows: Sequence[AccessRequest] | Sequence[Grant]) -> dict[str, str]:
    ids = [key for row in rows for key in (row.owner_id, row.organisation_id)]
    return OrganisationRepository(session).names_of(ids)

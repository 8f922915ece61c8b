"""Access policy: decides whether an organisation may have a release.

The owner always may. Anybody else needs a grant that was neither revoked nor has expired, under
terms that a person of theirs has accepted; an embargo that is over; and a release that was not
withdrawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from app.access.repository import AccessRepository
from app.core.clock import utc_now
from app.core.errors import Conflict, Forbidden
from app.core.security import Caller
from app.models.access import Acceptance, AccessRequest, Grant, RequestStatus
from app.models.release import Release, ReleaseStatus


class AccessState(StrEnum):
    """Access of an organisation to a release."""

    OWNER = "owner"
    NONE = "none"
    REQUESTED = "requested"
    RETURNED = "returned"
    DENIED = "denied"
    TERMS_TO_ACCEPT = "terms_to_accept"
    GRANTED = "granted"
    EXPIRED = "expired"
    REVOKED = "revoked"


class NoAccess(Forbidden):
    code = "no-access"
    title = "Your organisation has no access to this release"


class TermsNotAccepted(Forbidden):
    code = "terms-not-accepted"
    title = "The terms have to be accepted first"


class UnderEmbargo(Conflict):
    code = "under-embargo"
    title = "The release is under embargo"


class ReleaseWithdrawn(Conflict):
    code = "release-withdrawn"
    title = "The release was withdrawn"


@dataclass(frozen=True)
class Access:
    """Access of the caller's organisation to a release, with its request and grant."""

    state: AccessState
    request: AccessRequest | None = None
    grant: Grant | None = None
    acceptance: Acceptance | None = None


_OF_REQUEST = {
    RequestStatus.REQUESTED: AccessState.REQUESTED,
    RequestStatus.RETURNED: AccessState.RETURNED,
    RequestStatus.DENIED: AccessState.DENIED,
}


def access_of(session: Session, caller: Caller, release: Release) -> Access:
    return accesses_of(session, caller, [release])[release.id]


def accesses_of(session: Session, caller: Caller, releases: Sequence[Release]) -> dict[str, Access]:
    """Access of the caller's organisation to each of these, in three queries for all."""
    access = AccessRepository(session)
    others = [row.id for row in releases if row.organisation_id != caller.organisation_id]
    if not others:
        return {row.id: Access(AccessState.OWNER) for row in releases}
    requests = access.last_requests(others, caller.organisation_id)
    grants = access.last_grants(others, caller.organisation_id)
    acceptances = access.acceptances([grant.id for grant in grants.values()])
    found = {row.id: Access(AccessState.OWNER) for row in releases if row.id not in set(others)}
    for release_id in others:
        grant = grants.get(release_id)
        acceptance = None if grant is None else acceptances.get(grant.id)
        found[release_id] = _access(requests.get(release_id), grant, acceptance)
    return found


def _access(
    request: AccessRequest | None, grant: Grant | None, acceptance: Acceptance | None
) -> Access:
    # The last event counts: an organisation whose access was revoked may request again.
    if grant is not None and (request is None or grant.created_at >= request.created_at):
        return Access(_of_grant(grant, acceptance, utc_now()), request, grant, acceptance)
    if request is None:
        return Access(AccessState.NONE)
    return Access(_OF_REQUEST.get(request.status, AccessState.NONE), request)


def _of_grant(grant: Grant, acceptance: Acceptance | None, now: datetime) -> AccessState:
    if grant.revoked_at is not None:
        return AccessState.REVOKED
    if grant.expires_at is not None and grant.expires_at <= now:
        return AccessState.EXPIRED
    return AccessState.TERMS_TO_ACCEPT if acceptance is None else AccessState.GRANTED


_ADVICE = {
    AccessState.NONE: "Ask for it: POST /api/v1/releases/{id}/access-requests with your purpose.",
    AccessState.REQUESTED: "Your request waits for its owner; you get a notice when it is decided.",
    AccessState.RETURNED: "Your request was returned with a reason: change it with PATCH "
    "/api/v1/access-requests/{id}.",
    AccessState.DENIED: "Your request was denied, with a reason (GET /api/v1/access-requests).",
    AccessState.EXPIRED: "Your access has expired; ask again if you still need it.",
    AccessState.REVOKED: "Its owner revoked your access; delete what you have, as the terms say.",
}


def allow_download(session: Session, caller: Caller, release: Release) -> Access:
    """Raises NoAccess, TermsNotAccepted, UnderEmbargo, ReleaseWithdrawn."""
    if release.status == ReleaseStatus.WITHDRAWN:
        raise ReleaseWithdrawn(
            f"It was withdrawn: {release.withdrawal_reason} It can be downloaded no longer; if you "
            "have it, stop using it and delete it, as its terms say."
        )
    access = access_of(session, caller, release)
    if access.state == AccessState.OWNER:
        return access
    if access.state == AccessState.TERMS_TO_ACCEPT:
        assert access.grant is not None, "there are terms to accept because of a grant"
        raise TermsNotAccepted(
            "Access is granted, but your organisation has not accepted the terms yet. Read "
            "them in the release and accept them: POST "
            f"/api/v1/grants/{access.grant.id}/acceptance.",
            grant_id=access.grant.id,
        )
    if access.state != AccessState.GRANTED:
        raise NoAccess(_ADVICE[access.state], access=access.state.value)
    if release.embargo_until is not None and release.embargo_until > utc_now():
        raise UnderEmbargo(
            "It can be downloaded from "
            f"{release.embargo_until:%Y-%m-%dT%H:%M:%SZ} on. Your access stays as it is.",
            embargo_until=f"{release.embargo_until:%Y-%m-%dT%H:%M:%SZ}",
        )
    return access

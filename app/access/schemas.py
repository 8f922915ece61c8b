from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from app.access.policy import AccessState
from app.auth.tokens.schemas import FutureTime
from app.core.schemas import ReplyModel, RequestModel, Text
from app.models.access import RequestStatus

Purpose = Annotated[Text, Field(min_length=20, description="Purpose of the use, in sentences.")]
Reason = Annotated[
    Text,
    StringConstraints(min_length=3, max_length=2000),
    Field(description="The other side reads it."),
]


class AccessRequestCreate(RequestModel):
    """The requester comes from the account: there is no field for a name."""

    purpose: Purpose


class AccessRequestChange(RequestModel):
    purpose: Purpose


class AccessGrant(RequestModel):
    expires_at: FutureTime | None = Field(
        default=None, description="RFC 3339 with a time zone. Absent: until it is revoked."
    )


class AccessRefusal(RequestModel):
    reason: Reason


class DirectGrant(AccessGrant):
    organisation_id: Annotated[str, StringConstraints(min_length=1, max_length=40)]


class TermsAcceptance(RequestModel):
    terms_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="`terms.sha256` of the release: shows which text was read."
    )


class Party(ReplyModel):
    id: str
    name: str


class AccessRequestRead(ReplyModel):
    id: str
    created_at: datetime
    updated_at: datetime
    release_id: str
    release_title: str
    owner: Party
    organisation: Party = Field(description="The requesting organisation.")
    requester: str
    requester_email: str
    purpose: str
    status: RequestStatus
    reason: str
    decided_by: str | None
    decided_at: datetime | None
    grant_id: str | None


class AcceptanceRead(ReplyModel):
    name: str
    email: str
    accepted_at: datetime
    terms_sha256: str
    terms_text: str


class GrantRead(ReplyModel):
    id: str
    created_at: datetime
    release_id: str
    release_title: str
    owner: Party
    organisation: Party = Field(description="The organisation that may download.")
    request_id: str | None
    granted_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    reason: str
    acceptance: AcceptanceRead | None


class AccessRead(ReplyModel):
    """Access of the caller's organisation to a release."""

    state: AccessState
    request_id: str | None = None
    grant_id: str | None = None
    expires_at: datetime | None = None
    terms_accepted_at: datetime | None = None

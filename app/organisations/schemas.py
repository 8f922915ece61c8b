from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from app.core.schemas import Line, ReplyModel, RequestModel, one_line
from app.organisations.quotas import Quota
from app.organisations.release_policy import Policy
from app.users.schemas import Email

Contact = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=320), AfterValidator(one_line)
]


class OrganisationCreate(RequestModel):
    name: Line
    contact: Contact = ""
    admin_email: Email | None = Field(
        default=None, description="Gets the link to join as its first admin."
    )


class OrganisationBrief(ReplyModel):
    """An organisation as others see it."""

    id: str
    name: str
    contact: str
    created_at: datetime


class Usage(ReplyModel):
    stored_bytes: int
    datasets: int
    running: int
    gpu_hours: float = Field(
        description="Hours that workers of the queue `gpu` computed for it within 30 days."
    )
    people: int


class OrganisationRead(OrganisationBrief):
    updated_at: datetime
    policy: Policy
    quota: Quota
    usage: Usage
    disabled_at: datetime | None


class OrganisationCreated(OrganisationRead):
    link: str | None = Field(
        description="For its first admin to join by. Shown only here, and mailed where the portal "
        "sends mail."
    )


class OrganisationChange(RequestModel):
    """Absent fields stay unchanged."""

    name: Line | None = None
    contact: Contact | None = None
    policy: Policy | None = None


class OrganisationOperate(RequestModel):
    """Settings of the operator. Absent fields stay unchanged."""

    quota: Quota | None = None
    disabled: bool | None = Field(
        default=None, description="True: nobody of it can sign in or use a token any more."
    )

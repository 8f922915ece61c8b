"""What an organisation signs for a hub: a release's publication, and its withdrawal."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from app.core.schemas import RequestModel, Text, Time
from app.organisations.release_policy import Policy
from app.releases.schemas import Withdrawal
from app.releases.terms import TermsTemplate

LARGEST_BUNDLE = 256 * 1024 * 1024
"""Bytes, of which an image of 112×112 takes 50 kB as a tensor: enough for thousands."""

ReleaseId = Annotated[str, StringConstraints(pattern=r"^rel_[0-9a-f]{24}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class BundleNamed(RequestModel):
    sha256: Sha256
    fingerprint: Sha256
    size: int = Field(gt=0, le=LARGEST_BUNDLE)


class PublicationDocument(RequestModel):
    """What a release says, but for what its bundle says itself: images, report, certificate."""

    format: Literal[1] = 1
    hub: str = Field(max_length=100, description="Public key of the hub that it is for.")
    release: ReleaseId
    number: int = Field(ge=1, le=10**6)
    released_at: Time
    title: Annotated[Text, StringConstraints(min_length=1, max_length=200)]
    summary: Annotated[Text, StringConstraints(max_length=1000)]
    card: Annotated[Text, StringConstraints(max_length=20000)]
    terms_template: TermsTemplate
    duo: Annotated[list[Annotated[str, StringConstraints(max_length=200)]], Field(max_length=20)]
    contact: Annotated[Text, StringConstraints(min_length=1, max_length=320)]
    citation: Annotated[Text, StringConstraints(max_length=2000)]
    embargo_until: Time | None
    previews: bool
    policy: Policy = Field(description="The release policy that allowed it.")
    waived: Annotated[list[Annotated[str, StringConstraints(max_length=64)]], Field(max_length=20)]
    supersedes: Annotated[list[ReleaseId], Field(max_length=1000)]
    bundle: BundleNamed


class WithdrawalDocument(RequestModel):
    format: Literal[1] = 1
    hub: str = Field(max_length=100)
    release: ReleaseId
    at: Time
    reason: Withdrawal


def as_json(document: RequestModel) -> dict[str, Any]:
    """For canonical JSON: whole seconds, no object."""
    return document.model_dump(mode="json")

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from app.access.schemas import AccessRead, Party
from app.auth.tokens.schemas import FutureTime
from app.core.schemas import Line, ReplyModel, RequestModel, Text
from app.models.distillation import Verdict
from app.models.release import ReleaseStatus, ReleaseWarning
from app.releases.terms import TermsTemplate

Contact = Annotated[Line, StringConstraints(max_length=320)]
Withdrawal = Annotated[Text, StringConstraints(min_length=3, max_length=2000)]


class ReleaseCreate(RequestModel):
    title: Line
    summary: Annotated[Text, StringConstraints(min_length=1, max_length=1000)] = Field(
        description="A few sentences for the catalogue."
    )
    card: Annotated[Text, StringConstraints(max_length=20000)] = Field(
        default="",
        description="The dataset card, in Markdown: where the images come from, who "
        "is in them and who is not, how they were labelled, what they are for.",
    )
    terms: TermsTemplate = TermsTemplate.RESEARCH_ONLY
    custom_terms: Annotated[Text, StringConstraints(max_length=20000)] = Field(
        default="", description="The organisation's own words; needed with `custom`."
    )
    duo: Annotated[list[Line], Field(max_length=20)] = Field(
        default=[], description="Conditions of use, as in `DUO:0000007 tuberculosis`."
    )
    contact: Contact | None = Field(
        default=None, description="Whom to write to. Absent: the organisation's contact."
    )
    citation: Annotated[Text, StringConstraints(max_length=2000)] = ""
    embargo_until: FutureTime | None = Field(
        default=None, description="Others see it and may ask; nobody downloads before."
    )
    previews: bool = Field(
        default=False, description="Show the distilled images to whoever has no access yet."
    )
    supersedes: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        default=None,
        description="An own release whose place this one takes. An earlier number of the same "
        "distillation is superseded anyway.",
    )


class ReleaseWithdraw(RequestModel):
    reason: Withdrawal = Field(description="Everybody reads it. No word of patients.")


class TermsRead(ReplyModel):
    template: str
    text: str
    sha256: str
    duo: list[str]


class BundleRead(ReplyModel):
    href: str
    sha256: str
    fingerprint: str = Field(description="The fingerprint that `exchange verify` shows.")
    size: int


class KeyOfRelease(ReplyModel):
    public_key: str
    fingerprint: str


class ScoreRead(ReplyModel):
    """A recipient's measurement, signed with its organisation's key."""

    id: str
    created_at: datetime
    organisation: Party
    document: str = Field(description="Canonical JSON: what was signed.")
    signature: str
    public_key: str
    score: dict[str, Any] = Field(description="Figures and counts, as the document has them.")


class WarningRead(ReplyModel):
    code: ReleaseWarning
    text: str


class OverrideShown(ReplyModel):
    """The release policy objected, and two people decided to release it nevertheless."""

    reason: str
    objections: list[str]
    people: int
    decided_at: datetime


class ReleaseBrief(ReplyModel):
    """A release in the catalogue."""

    id: str
    created_at: datetime
    organisation: Party
    number: int
    status: ReleaseStatus
    title: str
    summary: str
    modality: str
    classes: list[str]
    images: int
    images_per_class: int
    image_size: int
    balanced_accuracy: float | None = Field(
        description="Accuracy of networks trained on it, on the owner's test images."
    )
    verdict: Verdict
    warning: WarningRead | None = Field(
        default=None, description="What was found about such releases later on."
    )
    embargo_until: datetime | None


class ReleaseRead(ReleaseBrief):
    updated_at: datetime
    card: str
    terms: TermsRead
    contact: str
    citation: str
    facts: dict[str, Any] = Field(description="Of the report: utility, privacy, preset, versions.")
    previews: list[str] = Field(description="Addresses of pictures that the caller may see.")
    key: KeyOfRelease
    bundle: BundleRead
    override: OverrideShown | None = None
    superseded_by: str | None
    withdrawn_at: datetime | None
    withdrawal_reason: str
    withdrawal_id: str | None = Field(
        description="Set: images that it came from were withdrawn since."
    )
    access: AccessRead
    scores: list[ScoreRead]
    distillation_id: str | None = Field(description="For its owner alone.")
    published_by: str | None = Field(description="For its owner alone.")
    downloads: int | None = Field(description="By other organisations; for its owner alone.")


class DownloadRead(ReplyModel):
    created_at: datetime
    organisation: Party
    name: str = Field(description="Name of the person, or of the organisation's token.")

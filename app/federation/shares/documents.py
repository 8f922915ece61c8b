"""Writes what an organisation signs of a release for a hub."""

from collections.abc import Sequence
from typing import Any

from app.federation.documents import (
    BundleNamed,
    PublicationDocument,
    WithdrawalDocument,
    as_json,
)
from app.models.release import Release
from app.organisations.release_policy import Policy
from app.releases.terms import TermsTemplate


def publication(release: Release, *, hub_key: str, supersedes: Sequence[str]) -> dict[str, Any]:
    """What a release says, for one hub; `supersedes` also names what the hub has not."""
    decision = release.decision
    known = decision["policy"].keys() & Policy.model_fields.keys()
    document = PublicationDocument(
        hub=hub_key,
        release=release.id,
        number=release.number,
        released_at=release.created_at,
        title=release.title,
        summary=release.summary,
        card=release.card,
        terms_template=TermsTemplate(release.terms_template),
        duo=release.duo_codes,
        contact=release.contact,
        citation=release.citation,
        embargo_until=release.embargo_until,
        previews=release.previews,
        policy=Policy.model_validate({name: decision["policy"][name] for name in known}),
        waived=decision.get("waived", []),
        supersedes=sorted(supersedes),
        bundle=BundleNamed(
            sha256=release.bundle_sha256,
            fingerprint=release.fingerprint,
            size=release.bundle_size,
        ),
    )
    return as_json(document)


def withdrawal(release: Release, *, hub_key: str) -> dict[str, Any]:
    assert release.withdrawn_at is not None, "it was withdrawn"
    document = WithdrawalDocument(
        hub=hub_key,
        release=release.id,
        at=release.withdrawn_at,
        reason=release.withdrawal_reason,
    )
    return as_json(document)
